import type {Readable} from 'node:stream'
import {InvalidInput, PpcError} from '../errors.js'
import {sameAsInFilename} from './checks.js'
import {fileEnding, parseWheelFilename, quote} from './filenames.js'
import {parseCoreMetadata, type CoreMetadata} from './metadata.js'
import {normalizeName} from './names.js'

/** Bytes somewhere: a file, an object in a bucket. */
export interface RandomAccess {
  /** Bytes. */
  readonly size: number
  /** The bytes from `start` up to, not including, `end`. */
  read(start: number, end: number): Promise<Buffer>
  /** All of them, in order. Tars only. */
  stream(): Readable
}

export interface ArchiveMetadata {
  readonly metadata: CoreMetadata | undefined
  /** METADATA or PKG-INFO as it is in the archive. */
  readonly metadataBytes: Buffer | undefined
}

/** Which entry of an archive holds the core metadata. */
export type MetadataPath = (path: string) => boolean

/** What looking through an archive gives: every path of it, and the bytes of the metadata if it has one. */
export interface LookedThrough {
  readonly paths: ReadonlySet<string>
  readonly found: {readonly path: string; readonly bytes: Buffer} | undefined
}

/**
 * Reads the core metadata of a wheel, of an egg or of an sdist as zip or (compressed) tar, and on the way looks through the archive,
 * as far as installers would be hurt or deceived by it. Nothing is written to disk, and memory is bounded (archive-limits.ts). Of zips only the
 * directory and one entry are read: a request or two for a remote one. Undefined for other files (`.tar.bz2`, `.exe`, `.rpm`),
 * for eggs that can't be read, and for sdists and eggs that hold none.
 * @param options `strict`: what is published must be in order as the public index wants it: all headers of a zip are read, and a
 * `.tar.gz` or `.zip` is one directory with PKG-INFO.
 * @throws {InvalidInput} for what is no archive, truncated, a bomb, ambiguous or unsafe to unpack; errors of `source` as they are.
 */
export async function readArchive(
  source: RandomAccess,
  filename: string,
  {strict = false} = {},
): Promise<ArchiveMetadata> {
  // An archive may break in any way: what the libraries throw then is the uploader's error. What the source throws is not.
  let sourceFailure: {error: unknown} | undefined
  const guarded: RandomAccess = {
    size: source.size,
    read: (start, end) =>
      source.read(start, end).catch((error: unknown) => {
        sourceFailure ??= {error}
        throw error
      }),
    stream: () => source.stream().once('error', error => (sourceFailure ??= {error})),
  }
  try {
    const looked = await lookThrough(guarded, filename, strict)
    if (looked === undefined) return nothing
    if (filename.endsWith('.whl')) checkWheel(filename, looked)
    else if (strict && /\.(?:tar\.gz|zip)$/.test(filename)) checkSdist(looked)
    if (looked.found === undefined) return nothing
    const metadata = parseCoreMetadata(looked.found.bytes)
    if (filename.endsWith('.whl') && (metadata.name === undefined || metadata.version === undefined))
      throw new InvalidInput(
        `${looked.found.path} has no ${metadata.name === undefined ? 'Name' : 'Version'}.`,
      )
    return {metadata, metadataBytes: looked.found.bytes}
  } catch (error) {
    if (sourceFailure !== undefined) throw sourceFailure.error
    if (error instanceof PpcError && !(error instanceof InvalidInput)) throw error
    if (filename.endsWith('.egg')) return nothing // no installer of today opens it
    const reason = error instanceof Error ? error.message.replace(/\.$/, '') : String(error)
    throw new InvalidInput(`The archive ${quote(filename)} can't be taken: ${printable(reason)}.`, {
      cause: error,
    })
  }
}

const nothing: ArchiveMetadata = {metadata: undefined, metadataBytes: undefined}

async function lookThrough(
  source: RandomAccess,
  filename: string,
  strict: boolean,
): Promise<LookedThrough | undefined> {
  switch (fileEnding(filename)) {
    case '.whl':
      return (await import('./zip-archive.js')).lookThroughZip(source, isWheelMetadata, {strict})
    case '.egg':
      // An egg may begin with a shell script that runs it.
      return (await import('./zip-archive.js')).lookThroughZip(source, path => path === 'EGG-INFO/PKG-INFO', {
        mayHavePrefix: true,
      })
    case '.zip':
      return (await import('./zip-archive.js')).lookThroughZip(source, isSdistMetadata, {strict})
    case '.tar.gz':
    case '.tgz':
      return (await import('./tar-archive.js')).lookThroughTar(source, isSdistMetadata, {gzip: true})
    case '.tar':
      return (await import('./tar-archive.js')).lookThroughTar(source, isSdistMetadata, {gzip: false})
    default:
      return undefined
  }
}

const isWheelMetadata: MetadataPath = path => /^[^/]+\.dist-info\/METADATA$/.test(path)
const isSdistMetadata: MetadataPath = path => /^[^/]+\/PKG-INFO$/.test(path)

/** What pip checks before it installs a wheel. */
function checkWheel(filename: string, {paths}: LookedThrough): void {
  const directories = new Set<string>()
  for (const path of paths) {
    const directory = /^([^/]+\.dist-info)\//.exec(path)?.[1]
    if (directory !== undefined) directories.add(directory)
  }
  const [directory, second] = directories
  if (directory === undefined) throw new InvalidInput('it has no .dist-info directory, so it is no wheel')
  if (second !== undefined)
    throw new InvalidInput(`it has several .dist-info directories: ${quote(directory)}, ${quote(second)}`)
  for (const file of ['METADATA', 'WHEEL', 'RECORD'])
    if (!paths.has(`${directory}/${file}`))
      throw new InvalidInput(`it has no ${quote(`${directory}/${file}`)}`)
  const {name, version} = parseWheelFilename(filename)
  const stem = directory.slice(0, -'.dist-info'.length)
  const dash = stem.lastIndexOf('-')
  const fits =
    normalizeName(stem.slice(0, dash)) === normalizeName(name) &&
    sameAsInFilename(stem.slice(dash + 1), version)
  if (dash === -1 || !fits)
    throw new InvalidInput(`its directory ${quote(directory)} is of another release than its file name`)
}

/** What installers rely on when they unpack one. */
function checkSdist({paths, found}: LookedThrough): void {
  const roots = new Set([...paths].map(path => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '')))
  const [root, second] = roots
  if (second !== undefined || root === '')
    throw new InvalidInput('its files are not all in one directory, as those of an sdist are')
  if (found === undefined) throw new InvalidInput(`it has no ${quote(`${root}/PKG-INFO`)}`)
}

/** Messages of libraries repeat bytes of the archive. */
const printable = (text: string): string =>
  text.slice(0, 300).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?')
