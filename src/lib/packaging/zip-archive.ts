import {promisify} from 'node:util'
import {crc32, inflateRaw, inflateRawSync} from 'node:zlib'
import {fromRandomAccessReaderPromise, type Entry, type ZipFile} from 'yauzl'
import {InvalidInput} from '../errors.js'
import {ArchivePaths, checkUnpackedSize, longestDirectory, mostEntries} from './archive-limits.js'
import type {LookedThrough, MetadataPath, RandomAccess} from './archives.js'
import {quote} from './filenames.js'
import {longestMetadata} from './metadata.js'
import {WindowReader} from './window-reader.js'

const inflateElsewhere = promisify(inflateRaw)
/** Bytes. To hand so few to another thread takes several times as long as to inflate them. */
const mostInflatedHere = 64 * 1024

/**
 * Reads the directory of a zip and the one entry that holds the metadata. Refuses what different unzippers read differently: entries
 * outside of the directory, overlapping or twice, data before, between and behind them. `strict`: also headers in front of the data
 * that say another thing than the directory, which takes reading around in all of it.
 */
export async function lookThroughZip(
  source: RandomAccess,
  isMetadata: MetadataPath,
  {mayHavePrefix = false, strict = false} = {},
): Promise<LookedThrough> {
  const reader = new WindowReader(source)
  const look = async (): Promise<LookedThrough> => {
    const zip = await fromRandomAccessReaderPromise(reader, source.size, {
      autoClose: false,
      strictFileNames: true,
    })
    zip.on('error', () => undefined) // after the first one, which eachEntry throws
    const {entries, paths} = await readDirectory(zip, reader, source.size)
    await checkLayout(zip, entries, mayHavePrefix)
    if (strict) await checkLocalHeaders(zip, entries)
    const found = entries.filter(entry => isMetadata(entry.fileName))
    const [first, second] = found
    if (second !== undefined)
      throw new InvalidInput(
        `it has several metadata: ${found
          .slice(0, 2)
          .map(entry => quote(entry.fileName))
          .join(', ')}`,
      )
    const bytes = first && (await readEntry(zip, first, source))
    return {paths, found: first && bytes && {path: first.fileName, bytes}}
  }
  return Promise.race([look(), reader.broken])
}

interface Directory {
  readonly entries: readonly (Entry & {readonly fileName: string})[]
  readonly paths: ReadonlySet<string>
}

async function readDirectory(zip: ZipFile, reader: WindowReader, size: number): Promise<Directory> {
  const start = directoryCursor(zip)
  const directoryEnd = size - 22 - zip.comment.length
  if (zip.entryCount > mostEntries) throw new InvalidInput(`it has more than ${mostEntries} entries`)
  if (directoryEnd - start > longestDirectory)
    throw new InvalidInput(`its directory is longer than ${longestDirectory} bytes`)
  reader.readAhead = directoryEnd - start
  const paths = new ArchivePaths()
  const entries: Entry[] = []
  let unpacked = 0
  for await (const entry of zip.eachEntry()) {
    const isDirectory = entry.fileName.endsWith('/')
    paths.add(entry.fileName, {isDirectory})
    if (!entry.canDecodeFileData())
      throw new InvalidInput(
        `${quote(entry.fileName)} is encrypted or compressed in a way that installers may not know`,
      )
    unpacked += entry.uncompressedSize
    checkUnpackedSize(unpacked, size)
    entries.push(entry)
  }
  // Behind the last entry comes the end record, with 64 bits after its own record and locator.
  const behind = directoryEnd - directoryCursor(zip)
  if (behind !== 0 && behind !== 56 + 20)
    throw new InvalidInput(`its directory has ${behind} bytes more than the entries it counts`)
  return {entries, paths: paths.files}
}

/** The types take it for a boolean. */
const directoryCursor = (zip: ZipFile): number => zip.readEntryCursor as unknown as number

const largestDescriptor = 24 // bytes: behind the data of an entry
const smallestEntry = 31

/** That entries lie one behind the other from the first byte to the directory, with no room for further ones. */
async function checkLayout(
  zip: ZipFile,
  entries: Directory['entries'],
  mayHavePrefix: boolean,
): Promise<void> {
  const inOrder = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader)
  const [first] = inOrder
  if (first === undefined) throw new InvalidInput('it is empty')
  if (!mayHavePrefix && first.relativeOffsetOfLocalHeader !== 0)
    throw new InvalidInput('it has other data before its first entry')
  const directoryLength = entries.reduce(
    (sum, entry) => sum + 46 + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength,
    0,
  )
  const directoryStart = directoryCursor(zip) - directoryLength
  for (const [index, entry] of inOrder.entries()) {
    const next = inOrder[index + 1]?.relativeOffsetOfLocalHeader ?? directoryStart
    const end = entry.relativeOffsetOfLocalHeader + 30 + entry.fileNameLength + entry.compressedSize
    if (end > next) throw new InvalidInput(`the entry ${quote(entry.fileName)} overlaps what follows it`)
    if (next - end < smallestEntry) continue
    // A local extra field may be that long; it is not in the directory.
    const header = await zip.readLocalFileHeaderPromise(entry)
    const gap = next - end - header.extraFieldLength
    if (gap < 0 || gap > largestDescriptor)
      throw new InvalidInput(`there is hidden data behind the entry ${quote(entry.fileName)}`)
  }
}

/** That who reads the entries one after the other sees what the directory says. */
async function checkLocalHeaders(zip: ZipFile, entries: Directory['entries']): Promise<void> {
  if (zip.comment.includes('PK')) throw new InvalidInput('its comment looks like a part of an archive')
  for (const entry of entries) {
    const path = quote(entry.fileName)
    if (entry.fileCommentLength > 0) throw new InvalidInput(`${path} in it has a comment`)
    const header = await zip.readLocalFileHeaderPromise(entry)
    if (!header.fileName.equals(entry.fileNameRaw))
      throw new InvalidInput(`${path} has another name in the directory than where its data is`)
    if (header.generalPurposeBitFlag & 8)
      throw new InvalidInput(`the size of ${path} is told behind its data only, where not all programs look`)
    const sizes = [
      [header.compressedSize, entry.compressedSize],
      [header.uncompressedSize, entry.uncompressedSize],
    ] as const
    const differs = sizes.some(([here, there]) => here !== there && here !== inExtraField)
    if (differs || header.compressionMethod !== entry.compressionMethod)
      throw new InvalidInput(
        `${path} has another size or compression in the directory than where its data is`,
      )
  }
}

const inExtraField = 0xffffffff // the size is among the 64 bit ones

/** Whole, checked. Neither of its declared sizes is believed. */
async function readEntry(zip: ZipFile, entry: Entry, source: RandomAccess): Promise<Buffer> {
  const path = quote(entry.fileName)
  if (entry.compressedSize > longestMetadata || entry.uncompressedSize > longestMetadata)
    throw new InvalidInput(`${path} in it is longer than ${longestMetadata} bytes`)
  const header = await zip.readLocalFileHeaderPromise(entry)
  if (!header.fileName.equals(entry.fileNameRaw))
    throw new InvalidInput(`${path} has another name in the directory than where its data is`)
  const end = header.fileDataStart + entry.compressedSize
  const raw = await source.read(header.fileDataStart, end)
  const bytes =
    entry.compressionMethod === 0
      ? raw
      : await inflate(raw, entry.uncompressedSize).catch((error: unknown) => {
          throw new InvalidInput(`${path} in it is damaged or longer than declared`, {cause: error})
        })
  if (bytes.length !== entry.uncompressedSize || crc32(bytes) !== entry.crc32)
    throw new InvalidInput(`${path} in it is damaged: its size or checksum is not as declared`)
  return bytes
}

/** @param size of what comes out, as declared. @throws when it is larger, or `raw` is damaged. */
async function inflate(raw: Buffer, size: number): Promise<Buffer> {
  const options = {maxOutputLength: Math.max(1, size)}
  return Math.max(raw.length, size) > mostInflatedHere
    ? inflateElsewhere(raw, options)
    : inflateRawSync(raw, options)
}
