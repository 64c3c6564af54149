import type {FoundFile} from './project.js'
import {hashesOf, isRecord, parseObject, sizeOf, textOf, timeOf} from './simple-json.js'

/** The files of `/pypi/<project>/json`, and the project's summary. @throws {UpstreamRefused} */
export function readLegacyJson(
  text: string,
  where: string,
): {files: FoundFile[]; summary: string | undefined} {
  const {info, releases} = parseObject(text, where)
  return {
    files: (isRecord(releases) ? Object.values(releases) : []).flatMap(release =>
      Array.isArray(release) ? release.flatMap(file => (isRecord(file) ? readFile(file) : [])) : [],
    ),
    summary: isRecord(info) ? textOf(info['summary']) : undefined,
  }
}

function readFile(file: Record<string, unknown>): FoundFile[] {
  const filename = textOf(file['filename'])
  const href = textOf(file['url'])
  if (filename === undefined || href === undefined) return []
  return [
    {
      filename,
      href,
      hashes: hashesOf(file['digests']),
      requiresPython: textOf(file['requires_python']),
      size: sizeOf(file['size']),
      uploadTime: timeOf(file['upload_time_iso_8601']),
      yanked: file['yanked'] === true ? (textOf(file['yanked_reason']) ?? '') : undefined,
    },
  ]
}
