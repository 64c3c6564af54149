import {createHash} from 'node:crypto'
import type {DistFile} from '../../packaging/dist-file.js'
import {checkRelease} from '../../packaging/checks.js'
import {fileEnding} from '../../packaging/filenames.js'
import {InvalidInput} from '../../errors.js'

/** One file as the upstream's page describes it. */
export interface UpstreamFile {
  readonly filename: string
  readonly version: string
  /** Absolute, without the digest. */
  readonly url: string
  /** Hex in lower case, by the names of PEP 691: `sha256`, `md5` … */
  readonly hashes: Readonly<Record<string, string>>
  readonly requiresPython?: string | undefined
  /** Bytes. */
  readonly size?: number | undefined
  /** RFC 3339, UTC. */
  readonly uploadTime?: string | undefined
  /** The reason, which may be empty. Undefined: it is not yanked. */
  readonly yanked?: string | undefined
  /** PEP 658: the upstream has its metadata beside it. */
  readonly coreMetadata?: {readonly sha256?: string | undefined} | undefined
}

/** A project as the upstream shows it. */
export interface UpstreamProject {
  /** Normalised. */
  readonly name: string
  readonly files: readonly UpstreamFile[]
  /** Of the project, where the upstream told it. */
  readonly summary: string | undefined
  /** Differs whenever anything of it does. */
  readonly revision: string
}

/** What a page says of a file, before anybody has looked whether it makes sense. */
export interface FoundFile extends Omit<UpstreamFile, 'version' | 'url'> {
  /** As in the page. */
  readonly href: string
}

/**
 * The project that a page describes. Left out are files of other projects and of unknown kinds, and addresses that are
 * none of HTTP.
 * @param base what links are relative to.
 */
export function upstreamProject(
  name: string,
  found: Iterable<FoundFile>,
  {base, summary}: {readonly base: URL; readonly summary?: string | undefined},
): UpstreamProject {
  const files = new Map<string, UpstreamFile>()
  for (const {href, ...file} of found) {
    const url = addressOf(href, base)
    const version = versionOf(name, file.filename)
    if (url === undefined || version === undefined || files.has(file.filename)) continue
    files.set(file.filename, {...file, url, version, hashes: readableHashes(file.hashes)})
  }
  const list = [...files.values()]
  const revision = createHash('sha256')
    .update(JSON.stringify([summary, list]))
    .digest('base64url')
    .slice(0, 22)
  return {name, files: list, summary, revision}
}

function addressOf(href: string, base: URL): string | undefined {
  let url: URL
  try {
    url = new URL(href, base)
  } catch {
    return undefined
  }
  url.hash = ''
  url.username = ''
  url.password = ''
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined
}

function versionOf(name: string, filename: string): string | undefined {
  if (fileEnding(filename) === undefined) return undefined
  try {
    return checkRelease({filename, name}).version
  } catch (error) {
    if (error instanceof InvalidInput) return undefined
    throw error
  }
}

const readableHashes = (hashes: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(hashes).flatMap(([kind, value]) =>
      /^(?:[\da-f]{2}){16,64}$/i.test(value) ? [[kind.toLowerCase(), value.toLowerCase()]] : [],
    ),
  )

/** As this index lists a copy of the file. */
export function asDistFile(project: UpstreamProject, file: UpstreamFile): DistFile {
  const {requiresPython, size, uploadTime, hashes} = file
  const {sha256, md5} = hashes
  return {
    filename: file.filename,
    name: project.name,
    version: file.version,
    lastModified: uploadTime === undefined ? new Date() : new Date(uploadTime),
    summary: project.summary ?? null,
    data: {
      ...(requiresPython && {requires_python: requiresPython}),
      ...(sha256 !== undefined && {hash_sha256: sha256}),
      ...(md5 !== undefined && {hash_md5: md5}),
      ...(size !== undefined && {size}),
      ...(uploadTime !== undefined && {upload_time: uploadTime}),
      origin: 'upstream',
    },
  }
}
