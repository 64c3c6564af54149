import assert from 'node:assert/strict'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {gzipSync} from 'node:zlib'
import {pack} from 'tar-stream'
import {InvalidInput} from '../../src/lib/errors.js'
import {readArchive, type ArchiveMetadata} from '../../src/lib/packaging/archives.js'
import {buildSdist, buildTar, buildWheel, buildZip, coreMetadata} from '../support/wheels.js'

const foo = {name: 'foo', version: '1.0'}
const info = Buffer.from(coreMetadata(foo))
const module = 'foo/__init__.py'

const read = (bytes: Buffer, filename: string): Promise<ArchiveMetadata> =>
  readArchive(
    {
      size: bytes.length,
      read: (start, end) => Promise.resolve(bytes.subarray(start, end)),
      stream: () => Readable.from([bytes]),
    },
    filename,
    {strict: true},
  )

async function assertRefused(bytes: Buffer, filename: string, reason: RegExp): Promise<void> {
  await assert.rejects(read(bytes, filename), (error: unknown) => {
    assert.ok(error instanceof InvalidInput, String(error))
    assert.match(error.message, reason)
    return true
  })
}

/** A tar with these entries behind PKG-INFO. Bytes are patched in their headers, whose checksums are set anew. */
async function tarWith(
  entry: {name: string; pax?: Record<string, string>},
  content: string,
  patch?: (header: Buffer) => void,
): Promise<Buffer> {
  const tar = pack()
  tar.entry({name: 'foo-1.0/PKG-INFO'}, info)
  tar.entry(entry, content)
  tar.finalize()
  const bytes = await buffer(tar)
  if (patch) {
    const start = bytes.lastIndexOf(entry.name)
    const header = bytes.subarray(start, start + 512)
    patch(header)
    header.fill(' ', 148, 156)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  }
  return bytes
}

/** A wheel with another number in front of, or text over, the first entry. */
async function wheelWith(change: (wheel: Buffer, name: number) => void) {
  const {bytes, filename} = await buildWheel(foo)
  const changed = Buffer.from(bytes)
  change(changed, changed.indexOf(module))
  return [changed, filename] as const
}

describe('what is published', () => {
  it('is taken as tools build it, whatever lies inside', async () => {
    for (const {bytes, filename} of [
      await buildWheel({...foo, files: {'foo/data.bin': 100_000, 'foo/ü.txt': 'x'}}),
      await buildSdist(foo),
      await buildSdist({...foo, format: 'zip', files: {'data.bin': 100_000}}),
      {
        filename: 'foo-1.0.tar.gz',
        bytes: gzipSync(await tarWith({name: `foo-1.0/${'x/'.repeat(120)}f`}, 'x')),
      },
    ])
      assert.equal((await read(bytes, filename)).metadata?.name, 'foo', filename)
  })

  it('is one directory with PKG-INFO, as an sdist', async () => {
    const packers: [string, (files: [string, Buffer][]) => Promise<Buffer>][] = [
      ['foo-1.0.tar.gz', async files => gzipSync(await buildTar(files))],
      ['foo-1.0.zip', buildZip],
    ]
    for (const [filename, packed] of packers) {
      await assertRefused(await packed([['foo-1.0/setup.py', info]]), filename, /no "foo-1\.0\/PKG-INFO"/)
      const second: [string, Buffer][] = [
        ['foo-1.0/PKG-INFO', info],
        ['other/setup.py', info],
      ]
      await assertRefused(await packed(second), filename, /not all in one directory/)
      await assertRefused(await packed([['PKG-INFO', info]]), filename, /not all in one directory/)
    }
  })

  it('has nothing behind the end of a tar', async () => {
    const tar = await buildTar([['foo-1.0/PKG-INFO', info]])
    const hidden = await buildTar([['foo-1.0/setup.py', Buffer.from('evil')]])
    const refused = (bytes: Buffer, reason = /behind its end/) =>
      assertRefused(bytes, 'foo-1.0.tar.gz', reason)
    await refused(gzipSync(Buffer.concat([tar, hidden])))
    await refused(Buffer.concat([gzipSync(tar), gzipSync(hidden)]))
    await refused(gzipSync(Buffer.concat([tar.subarray(0, 1024), Buffer.alloc(512), hidden])))
    await refused(gzipSync(Buffer.concat([tar, Buffer.from('x')])))
    await refused(Buffer.concat([gzipSync(tar), Buffer.from('garbage')]), /can't be taken/)
    const {bytes: wheel} = await buildWheel(foo)
    await refused(Buffer.concat([gzipSync(tar), wheel]), /can't be taken/)
    await assertRefused(Buffer.concat([tar, wheel]), 'foo-1.0-py3-none-any.whl', /can't be taken/)
  })

  it('has no sparse file, and no size that programs read in two ways, in a tar', async () => {
    const name = 'foo-1.0/entry'
    const sparse = await tarWith({name}, 'x', header => header.write('S', 156))
    await assertRefused(gzipSync(sparse), 'foo-1.0.tar.gz', /neither a file/)
    const pax = await tarWith({name, pax: {'GNU.sparse.major': '1'}}, 'x')
    await assertRefused(gzipSync(pax), 'foo-1.0.tar.gz', /neither a file/)
    const twice = await tarWith({name, pax: {size: '1'}}, 'x')
    await assertRefused(gzipSync(twice), 'foo-1.0.tar.gz', /size/)
    const link = await tarWith({name}, 'x', header => {
      header.write('2', 156)
      header.write('PKG-INFO', 157)
    })
    await assertRefused(gzipSync(link), 'foo-1.0.tar.gz', /size/)
  })

  it('is compressed in no way that installers do not know', async () => {
    for (const method of [1, 9, 12, 14, 93])
      await assertRefused(
        ...(await wheelWith((wheel, name) => {
          wheel.writeUInt16LE(method, name - 30 + 8)
          wheel.writeUInt16LE(method, wheel.lastIndexOf(module) - 46 + 10)
        })),
        /compressed in a way/,
      )
  })

  it('says the same in front of the data of a zip and in its directory', async () => {
    await assertRefused(
      ...(await wheelWith((wheel, name) => void wheel.write('foo/__evil__.py', name))),
      /name/,
    )
    for (const offset of [8, 18, 22])
      // compression, both sizes
      await assertRefused(
        ...(await wheelWith((wheel, name) => void wheel.writeUInt16LE(7, name - 30 + offset))),
        /can't be taken/,
      )
    await assertRefused(
      ...(await wheelWith((wheel, name) => void wheel.writeUInt16LE(8, name - 30 + 6))),
      /behind/,
    )
  })

  it('has no second archive in the comment of a zip', async () => {
    const {bytes, filename} = await buildWheel(foo)
    for (const comment of [bytes, Buffer.from('PK\u0005\u0006 and more')]) {
      const commented = Buffer.concat([bytes, comment])
      commented.writeUInt16LE(comment.length, bytes.length - 2)
      await assertRefused(commented, filename, /can't be taken/)
    }
  })

  it('may be an egg of whatever is in it', async () => {
    const nothing = {metadata: undefined, metadataBytes: undefined}
    assert.deepEqual(await read(Buffer.from('an egg'), 'foo-1.0-py2.7.egg'), nothing)
    const egg = await buildZip([['EGG-INFO/PKG-INFO', info]])
    assert.equal((await read(egg, 'foo-1.0-py2.7.egg')).metadata?.name, 'foo')
  })
})
