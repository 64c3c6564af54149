import {posix} from 'node:path'
import {PassThrough} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {pipeline} from 'node:stream/promises'
import {createGunzip} from 'node:zlib'
import {extract, type Extract, type Header} from 'tar-stream'
import {InvalidInput} from '../errors.js'
import {ArchivePaths, checkUnpackedSize} from './archive-limits.js'
import type {LookedThrough, MetadataPath, RandomAccess} from './archives.js'
import {quote} from './filenames.js'
import {longestMetadata} from './metadata.js'
import {TarEnd} from './tar-end.js'

/** Reads a tar from its first to its last byte, since it has no directory: only so is it known to be whole. */
export async function lookThroughTar(
  source: RandomAccess,
  isMetadata: MetadataPath,
  {gzip}: {gzip: boolean},
): Promise<LookedThrough> {
  const paths = new ArchivePaths()
  let found: {path: string; content: Promise<Buffer>} | undefined
  const tar = extract()
  tar.on('entry', (header, stream, next) => {
    stream.on('error', () => undefined) // it is that of `tar`
    stream.on('end', next)
    try {
      const path = checkEntry(paths, header)
      if (header.type === 'file' && isMetadata(path)) {
        if (found !== undefined)
          throw new InvalidInput(`it has several metadata: ${quote(found.path)}, ${quote(path)}`)
        if (header.size > longestMetadata)
          throw new InvalidInput(`${quote(path)} in it is longer than ${longestMetadata} bytes`)
        found = {path, content: buffer(stream)}
        found.content.catch(() => undefined) // as above
      } else {
        stream.resume()
      }
    } catch (error) {
      tar.destroy(error as Error)
    }
  })
  let fault: {error: unknown} | undefined // `pipeline` would report its own way of stopping
  const unpack = gzip ? createGunzip() : new PassThrough()
  await pipeline(source.stream(), unpack, chunks =>
    feed(tar, chunks as AsyncIterable<Buffer>, source.size).catch((error: unknown) => {
      fault = {error}
      throw error
    }),
  ).catch((error: unknown) => {
    throw fault === undefined ? error : fault.error
  })
  if (paths.files.size === 0) throw new InvalidInput('it is empty')
  return {paths: paths.files, found: found && {path: found.path, bytes: await found.content}}
}

/** Ends when `tar` has read all; throws what it throws. tar-stream's are no streams of Node's, so no `pipeline`. */
async function feed(tar: Extract, chunks: AsyncIterable<Buffer>, packed: number): Promise<void> {
  const finished = new Promise<void>((resolve, reject) =>
    tar.on('error', reject).on('finish', () => resolve()),
  )
  const feeding = async (): Promise<void> => {
    let unpacked = 0
    const end = new TarEnd()
    for await (const chunk of chunks) {
      unpacked += chunk.length
      checkUnpackedSize(unpacked, packed)
      end.check(chunk)
      if (!tar.write(chunk)) await new Promise<void>(resolve => tar.once('drain', () => resolve()))
    }
    tar.end(undefined) // its types want an argument
  }
  await Promise.all([feeding(), finished])
}

/** @throws {InvalidInput} for what an sdist has no use for: devices, sparse files, links that leave its directory. */
function checkEntry(paths: ArchivePaths, header: Header): string {
  const {name, type, linkname: target} = header
  const extended = Object.keys(header.pax ?? {})
  const isSparse = extended.some(key => key.startsWith('GNU.sparse'))
  if (isSparse || !['file', 'contiguous-file', 'directory', 'symlink', 'link'].includes(type))
    throw new InvalidInput(`the entry ${quote(name)} is neither a file nor a directory nor a link`)
  // Readers differ in which size they believe, and so in what the next entry is.
  const isFile = type === 'file' || type === 'contiguous-file'
  if (extended.includes('size') || (!isFile && header.size !== 0))
    throw new InvalidInput(`the entry ${quote(name)} has a size that not all programs read the same`)
  const path = paths.add(name, {isDirectory: type === 'directory'})
  if (type === 'symlink' || type === 'link') {
    const reached = posix.normalize(type === 'link' ? target : posix.join(posix.dirname(path), target))
    if (target === '' || posix.isAbsolute(target) || reached.split('/')[0] === '..')
      throw new InvalidInput(`the link ${quote(name)} leads to ${quote(target)}, out of its directory`)
  }
  return path
}
