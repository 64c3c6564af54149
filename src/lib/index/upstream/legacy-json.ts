import {isRecord, parseObject, readFiles, textOf} from './json.js'
import type {FoundFile} from './project.js'

const keys = {hashes: 'digests', requiresPython: 'requires_python', uploadTime: 'upload_time_iso_8601'}

/** The files of `/pypi/<project>/json`, and the project's summary. @throws {UpstreamRefused} */
export function readLegacyJson(
  text: string,
  where: string,
): {files: FoundFile[]; summary: string | undefined} {
  const {info, releases} = parseObject(text, where)
  return {
    files: (isRecord(releases) ? Object.values(releases) : []).flatMap(release =>
      readFiles(release, keys, file => ({
        yanked: file['yanked'] === true ? (textOf(file['yanked_reason']) ?? '') : undefined,
      })),
    ),
    summary: isRecord(info) ? textOf(info['summary']) : undefined,
  }
}
