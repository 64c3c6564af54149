import {UpstreamRefused} from './errors.js'
import {isRecord, parseObject, readFiles, textOf} from './json.js'
import type {FoundFile} from './project.js'

const keys = {hashes: 'hashes', requiresPython: 'requires-python', uploadTime: 'upload-time'}

/** The files of a PEP 691 page, and of a project in quarantine (PEP 792) none. @throws {UpstreamRefused} */
export function readSimpleJson(text: string, where: string): FoundFile[] {
  const page = parseObject(text, where)
  const {meta, files} = page
  const version = isRecord(meta) ? textOf(meta['api-version']) : undefined
  if (version === undefined || !Array.isArray(files)) {
    throw new UpstreamRefused(`${where} is no page of the simple API`)
  }
  if (!version.startsWith('1.')) {
    throw new UpstreamRefused(
      `${where} is in version ${version.slice(0, 20)} of the simple API, which is not known here`,
    )
  }
  const status = page['project-status']
  if (isRecord(status) && status['status'] === 'quarantined') return []
  return readFiles(files, keys, file => ({
    yanked: yankOf(file['yanked']),
    coreMetadata: coreMetadataOf(file['core-metadata'] ?? file['dist-info-metadata']),
  }))
}

/** PEP 592: true, or a reason. */
const yankOf = (value: unknown): string | undefined => (value === true ? '' : textOf(value))

const coreMetadataOf = (value: unknown): FoundFile['coreMetadata'] =>
  isRecord(value) ? {sha256: textOf(value['sha256'])} : value === true ? {} : undefined
