import type {DistFile} from '../../packaging/dist-file.js'
import {canonicalVersion, compareVersions} from '../../packaging/versions.js'
import {apiVersion, escapeHtml, fileAnchor, pageEnd, pageStart, type AddressOf} from './markup.js'

/** What is shown of a project, in whatever representation. */
export interface ProjectPage {
  /** Normalised. */
  readonly name: string
  /** By file name, whatever the case. */
  readonly files: readonly DistFile[]
  /** Ascending, in the normal form of PEP 440 where they have one. */
  readonly versions: readonly string[]
}

/** Undefined when the project has no files. */
export function projectPage(name: string, files: readonly DistFile[]): ProjectPage | undefined {
  if (files.length === 0) return undefined
  const versions = new Set(files.map(({version}) => canonicalVersion(version) ?? version))
  const keyed = files.map(file => ({file, key: file.filename.toLowerCase()}))
  keyed.sort((a, b) => order(a.key, b.key) || order(a.file.filename, b.file.filename))
  return {name, files: keyed.map(({file}) => file), versions: [...versions].sort(compareVersions)}
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** PEP 503. */
export function renderProjectHtml(page: ProjectPage, addressOf: AddressOf): string {
  const anchors = page.files.map(file => {
    const requiresPython = file.data.requires_python
    const attributes = requiresPython ? ` data-requires-python="${escapeHtml(requiresPython)}"` : ''
    return `    ${fileAnchor(file, addressOf, attributes)}`
  })
  return `${pageStart('Package Index')}  \n${anchors.join('')}${pageEnd}`
}

/** PEP 691 with the members of PEP 700. */
export function renderProjectJson(page: ProjectPage, addressOf: AddressOf): string {
  const sizesKnown = page.files.every(file => sizeOf(file) !== undefined)
  return JSON.stringify({
    // 1.1 and later demand every size.
    meta: {'api-version': sizesKnown ? apiVersion : '1.0'},
    name: page.name,
    versions: page.versions,
    files: page.files.map(file => ({
      filename: file.filename,
      url: addressOf(file),
      hashes: file.data.hash_sha256 ? {sha256: file.data.hash_sha256} : {},
      ...(file.data.requires_python ? {'requires-python': file.data.requires_python} : {}),
      size: sizeOf(file),
      'upload-time': uploadTimeOf(file),
      yanked: false,
    })),
  })
}

/** In bytes. Undefined in rows of pypicloud. */
export const sizeOf = ({data}: DistFile): number | undefined =>
  typeof data.size === 'number' && Number.isSafeInteger(data.size) && data.size >= 0 ? data.size : undefined

/** As recorded at upload, or else when the stored file was written, which for pypicloud's files is the same. */
export const uploadTimeOf = ({data, lastModified}: DistFile): string =>
  data.upload_time !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/.test(data.upload_time)
    ? data.upload_time
    : lastModified.toISOString().replace('Z', '000Z')
