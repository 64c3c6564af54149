import {crc32} from 'node:zlib'

export interface ZipEntry {
  /** ASCII, with `/`. */
  readonly name: string
  readonly bytes: Buffer
}

/** 1980-01-01, the first day that a zip knows. */
const date = 0x21
const regularFile = (0o100644 << 16) >>> 0
const madeOnUnix = 3 << 8

/**
 * A zip of these entries, in their order and not compressed: what deflate writes differs between the zlibs of Node's releases
 * and processors, and this has to be the same bytes wherever it is made.
 */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const {name, bytes} of entries) {
    const nameBytes = Buffer.from(name, 'ascii')
    const common = commonFields(bytes, nameBytes)
    const local = Buffer.concat([uint32(0x04034b50), common, nameBytes, bytes])
    directory.push(
      Buffer.concat([
        uint32(0x02014b50),
        uint16(madeOnUnix | 20),
        common,
        uint16(0, 0, 0), // length of a comment, disk, internal attributes
        uint32(regularFile, offset),
        nameBytes,
      ]),
    )
    parts.push(local)
    offset += local.length
  }
  const size = directory.reduce((total, {length}) => total + length, 0)
  const count = entries.length
  const end = [uint32(0x06054b50), uint16(0, 0, count, count), uint32(size, offset), uint16(0)]
  return Buffer.concat([...parts, ...directory, ...end])
}

/** What the head of an entry and the directory both say (APPNOTE 4.3.7, 4.3.12). */
function commonFields(bytes: Buffer, name: Buffer): Buffer {
  const [version, flags, stored, time] = [20, 0, 0, 0]
  return Buffer.concat([
    uint16(version, flags, stored, time, date),
    uint32(crc32(bytes), bytes.length, bytes.length),
    uint16(name.length, 0),
  ])
}

function uint16(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => buffer.writeUInt16LE(value, index * 2))
  return buffer
}

function uint32(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => buffer.writeUInt32LE(value, index * 4))
  return buffer
}
