import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {describe, it} from 'node:test'
import {gzipSync} from 'node:zlib'
import fc from 'fast-check'
import {InvalidInput, Unavailable} from '../../src/lib/errors.js'
import {readArchive, type RandomAccess} from '../../src/lib/packaging/archives.js'
import {checkRelease} from '../../src/lib/packaging/checks.js'
import {fixtures} from '../support/paths.js'
import {buildSdist, buildTar, buildWheel, buildZip, coreMetadata} from '../support/wheels.js'

interface Counted extends RandomAccess {
  readonly reads: number[]
}

/** Bytes in memory that count what is read of them. */
function sourceOf(bytes: Buffer): Counted {
  const reads: number[] = []
  return {
    size: bytes.length,
    reads,
    read: (start, end) => {
      reads.push(end - start)
      return Promise.resolve(bytes.subarray(start, end))
    },
    stream: () => Readable.from([bytes]),
  }
}

const foo = {name: 'foo', version: '1.0', requiresPython: '>=3.8', summary: 'Grüße'}
const wheelName = 'foo-1.0-py3-none-any.whl'
const text = (value: string): Buffer => Buffer.from(value)
const wheelFiles = (metadata = coreMetadata(foo)): [string, Buffer][] => [
  ['foo/__init__.py', text('')],
  ['foo-1.0.dist-info/METADATA', text(metadata)],
  ['foo-1.0.dist-info/WHEEL', text('Wheel-Version: 1.0\n')],
  ['foo-1.0.dist-info/RECORD', text('')],
]

async function assertRefused(bytes: Buffer, filename: string, reason: RegExp): Promise<void> {
  await assert.rejects(readArchive(sourceOf(bytes), filename), (error: unknown) => {
    assert.ok(error instanceof InvalidInput, String(error))
    assert.match(error.message, reason)
    assert.ok(error.message.includes(filename))
    return true
  })
}

/** Overwrites numbers in the directory's and the local header's record of one entry. */
function patchEntry(
  zip: Buffer,
  path: string,
  fields: {directory?: [offset: number, value: number][]},
): Buffer {
  const patched = Buffer.from(zip)
  const at = patched.lastIndexOf(path) - 46
  for (const [offset, value] of fields.directory ?? []) patched.writeUInt32LE(value, at + offset)
  return patched
}

describe('readArchive', () => {
  it('reads the metadata of wheels, zipped and tarred sdists and eggs', async () => {
    const egg = await buildZip([['EGG-INFO/PKG-INFO', text(coreMetadata(foo))]])
    const tar = await buildTar([['foo-1.0/PKG-INFO', text(coreMetadata(foo))]])
    for (const {filename, bytes} of [
      await buildWheel(foo),
      await buildWheel({...foo, build: '1'}),
      await buildSdist(foo),
      await buildSdist({...foo, format: 'zip'}),
      {filename: 'foo-1.0-py2.7.egg', bytes: egg},
      {filename: 'foo-1.0.tar', bytes: tar},
      {filename: 'foo-1.0.tgz', bytes: gzipSync(tar)},
    ]) {
      const {metadata, metadataBytes} = await readArchive(sourceOf(bytes), filename)
      assert.equal(metadata?.name, 'foo', filename)
      assert.equal(metadata.version, '1.0')
      assert.equal(metadata.requiresPython, '>=3.8')
      assert.equal(metadata.summary, 'Grüße')
      assert.equal(metadataBytes?.toString(), coreMetadata(foo))
    }
  })

  it('has nothing to say of other formats, and of sdists and eggs without PKG-INFO', async () => {
    const nothing = {metadata: undefined, metadataBytes: undefined}
    for (const filename of [
      'foo-1.0.tar.bz2',
      'foo-1.0.exe',
      'foo-1.0.tar.xz',
      'foo.rpm',
      'foo-1.0-py2.7.egg',
    ])
      assert.deepEqual(await readArchive(sourceOf(text('anything')), filename), nothing)
    const zip = await buildZip([['foo-1.0/setup.py', text('')]])
    for (const filename of ['foo-1.0.zip', 'foo-1.0-py2.7.egg'])
      assert.deepEqual(await readArchive(sourceOf(zip), filename), nothing)
    const tar = await buildTar([['foo-1.0/sub/PKG-INFO', text('')]])
    assert.deepEqual(await readArchive(sourceOf(tar), 'foo-1.0.tar'), nothing)
  })

  it('takes every file that pypicloud stored in the fixtures, and they agree with their names', async () => {
    const root = join(fixtures, 'file-storage', 'packages')
    const paths = await readdir(root, {recursive: true, withFileTypes: true})
    const files = paths.filter(entry => entry.isFile() && !entry.name.endsWith('.meta'))
    assert.ok(files.length > 10)
    for (const {parentPath, name: filename} of files) {
      const bytes = await readFile(join(parentPath, filename))
      const {metadata} = await readArchive(sourceOf(bytes), filename)
      checkRelease({filename, metadata})
    }
  })

  it('reads a big wheel from afar with two requests, and one of many files with few', async () => {
    const big = await buildWheel({...foo, files: {'foo/data.bin': 1_000_000}})
    const source = sourceOf(big.bytes)
    await readArchive(source, big.filename)
    assert.ok(source.reads.length <= 3, `${source.reads.length} requests`)
    assert.ok(source.reads.reduce((sum, bytes) => sum + bytes) < 200_000)

    const names = Array.from({length: 10_000}, (_, n) => [`foo/some/longer/directory/file_${n}.py`, 'x'])
    const many = await buildWheel({...foo, files: Object.fromEntries(names) as Record<string, string>})
    const second = sourceOf(many.bytes)
    await readArchive(second, many.filename)
    assert.ok(second.reads.length <= 8, `${second.reads.length} requests`)
  })

  it('reports a source that fails as what it is', async () => {
    const {bytes, filename} = await buildWheel(foo)
    const failing = {...sourceOf(bytes), read: () => Promise.reject(new Unavailable('the bucket is away'))}
    await assert.rejects(readArchive(failing, filename), Unavailable)
    const stream = (): Readable => new Readable({read() { this.destroy(new Unavailable('away')) }}) // prettier-ignore
    await assert.rejects(readArchive({...sourceOf(bytes), stream}, 'foo-1.0.tar.gz'), Unavailable)
  })
})

describe('readArchive refuses', () => {
  it('what is no archive', async () => {
    for (const filename of [wheelName, 'foo-1.0.zip', 'foo-1.0.tar.gz', 'foo-1.0.tgz', 'foo-1.0.tar'])
      for (const bytes of [text(''), text('hello'), text('x'.repeat(2000)), randomBytes(70_000)])
        await assertRefused(bytes, filename, /can't be taken/)
  })

  it('archives that end early, wherever', async () => {
    const wheel = await buildWheel(foo)
    const sdist = await buildSdist({...foo, files: {'a.bin': 3000}})
    for (let length = 1; length < wheel.bytes.length; length += 7)
      await assertRefused(wheel.bytes.subarray(0, length), wheel.filename, /can't be taken/)
    for (let length = 1; length < sdist.bytes.length; length += 97)
      await assertRefused(sdist.bytes.subarray(0, length), sdist.filename, /can't be taken/)
    const tar = await buildTar([['foo-1.0/PKG-INFO', text('x'.repeat(2000))]])
    await assertRefused(tar.subarray(0, 1500), 'foo-1.0.tar', /can't be taken/)
  })

  it('wheels that pip would not install', async () => {
    const without = (path: string): [string, Buffer][] =>
      wheelFiles().filter(([name]) => !name.endsWith(path))
    for (const path of ['METADATA', 'WHEEL', 'RECORD'])
      await assertRefused(await buildZip(without(path)), wheelName, new RegExp(`no .*${path}`))
    await assertRefused(await buildZip([['foo.py', text('')]]), wheelName, /no \.dist-info/)
    await assertRefused(await buildZip(wheelFiles('Name: foo\n')), wheelName, /no Version/)
    const twice = [...wheelFiles(), ['bar-1.0.dist-info/RECORD', text('')] as [string, Buffer]]
    await assertRefused(await buildZip(twice), wheelName, /several \.dist-info/)
    await assertRefused(await buildZip(wheelFiles()), 'foo-1.1-py3-none-any.whl', /another release/)
    await assertRefused(await buildZip(wheelFiles()), 'bar-1.0-py3-none-any.whl', /another release/)
    await assertRefused(
      await buildZip(wheelFiles('Name: foo\nName: bar\nVersion: 1.0\n')),
      wheelName,
      /several values of name/,
    )
  })

  it('paths that leave the directory, on any system, and paths given twice', async () => {
    // yazl refuses to write such paths, so they are put in afterwards.
    const renamed = async (from: string, to: string): Promise<Buffer> => {
      const bytes = await buildZip([[from, text('x')], ...wheelFiles()])
      return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1')
    }
    await assertRefused(await renamed('aaaaaaa', '../evil'), wheelName, /\.\.\/evil/)
    await assertRefused(await renamed('aaaaaaa', 'a/../..'), wheelName, /a\/\.\.\/\.\./)
    await assertRefused(await renamed('aaaaa', '/evil'), wheelName, /\/evil/)
    await assertRefused(await renamed('aaaaaaa', 'C:/evil'), wheelName, /absolute/)
    await assertRefused(await renamed('aaaaaaa', '..\\evil'), wheelName, /evil/)
    await assertRefused(await renamed('aaaaaaa', 'a\u0000evil.'), wheelName, /can't be taken/)
    await assertRefused(await renamed('foo/__init__.pX', 'foo/__init__.py'), wheelName, /two entries/)
    for (const path of ['../evil', '/evil', 'foo/../../evil'])
      await assertRefused(gzipSync(await buildTar([[path, text('x')]])), 'foo-1.0.tar.gz', /evil/)
    const twice = await buildTar([['foo-1.0/a', text('x')], ['./foo-1.0//a', text('y')]]) // prettier-ignore
    await assertRefused(twice, 'foo-1.0.tar', /two entries/)
  })

  it('data in front of, between and behind what the directory lists', async () => {
    const {bytes} = await buildWheel(foo)
    await assertRefused(Buffer.concat([bytes, text('tail')]), wheelName, /can't be taken/)
    await assertRefused(Buffer.concat([text('#!/bin/sh\n'), bytes]), wheelName, /can't be taken/)
    await assertRefused(Buffer.concat([bytes, bytes]), wheelName, /can't be taken/)
    // One entry less in the end record's count: it is hidden from those who believe that.
    const fewer = Buffer.from(bytes)
    const end = fewer.lastIndexOf('PK\u0005\u0006')
    fewer.writeUInt16LE(fewer.readUInt16LE(end + 10) - 1, end + 10)
    await assertRefused(fewer, wheelName, /more than the entries it counts/)
  })

  it('metadata whose sizes or checksum are lies', async () => {
    const files = wheelFiles(coreMetadata({...foo, description: 'x'.repeat(10_000)}))
    const zip = await buildZip(files)
    const path = 'foo-1.0.dist-info/METADATA'
    await readArchive(sourceOf(zip), wheelName)
    for (const [offset, value] of [
      [16, 1],
      [24, 1_000_000_000],
      [24, 100],
      [20, 5],
      [20, 0x7fffffff],
    ] as const)
      // prettier-ignore
      await assertRefused(patchEntry(zip, path, {directory: [[offset, value]]}), wheelName, /can't be taken/)
  })

  it('metadata that is longer than any README', async () => {
    const huge = coreMetadata({...foo, description: 'x'.repeat(5_000_000)})
    await assertRefused(await buildZip(wheelFiles(huge)), wheelName, /longer than 4194304 bytes/)
    await assertRefused(await buildZip([['foo-1.0/PKG-INFO', text(huge)]]), 'foo-1.0.zip', /longer than/)
    await assertRefused(await buildTar([['foo-1.0/PKG-INFO', text(huge)]]), 'foo-1.0.tar', /longer than/)
  })

  it('bombs, in little memory', async () => {
    const zeros = Buffer.alloc(100 * 1024 * 1024)
    const wheel = await buildZip([['foo/zeros', zeros], ...wheelFiles()])
    await assertRefused(wheel, wheelName, /more than 50 times/)
    const tar = gzipSync(await buildTar([['foo-1.0/zeros', zeros]]))
    await assertRefused(tar, 'foo-1.0.tar.gz', /more than 50 times/)
    await assertRefused(gzipSync(tar), 'foo-1.0.tar.gz', /can't be taken/)
  })

  it('devices, and links that lead out', async () => {
    const {pack} = await import('tar-stream')
    const {buffer} = await import('node:stream/consumers')
    const one = async (header: {
      type: 'symlink' | 'link' | 'fifo' | 'character-device'
      linkname?: string
    }): Promise<Buffer> => {
      const tar = pack()
      tar.entry({name: 'foo-1.0/sub/entry', ...header})
      tar.entry({name: 'foo-1.0/setup.py'}, '')
      tar.finalize()
      return buffer(tar)
    }
    await readArchive(sourceOf(await one({type: 'symlink', linkname: '../setup.py'})), 'foo-1.0.tar')
    await readArchive(sourceOf(await one({type: 'link', linkname: 'foo-1.0/setup.py'})), 'foo-1.0.tar')
    for (const header of [
      {type: 'symlink', linkname: '/etc/passwd'},
      {type: 'symlink', linkname: '../../../etc'},
      {type: 'link', linkname: '../etc'},
      {type: 'fifo'},
      {type: 'character-device'},
    ] as const)
      await assertRefused(await one(header), 'foo-1.0.tar', /leads to|neither a file/)
  })

  it('damaged archives with an InvalidInput, whichever bytes are changed', async () => {
    const built = [await buildWheel(foo), await buildSdist({...foo, format: 'zip'}), await buildSdist(foo)]
    built.push({
      filename: 'foo-1.0.tar',
      bytes: await buildTar([['foo-1.0/PKG-INFO', text(coreMetadata(foo))]]),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...built),
        fc.array(fc.tuple(fc.double({min: 0, max: 0.999, noNaN: true}), fc.nat(255)), {
          minLength: 1,
          maxLength: 4,
        }),
        async ({filename, bytes}, changes) => {
          const damaged = Buffer.from(bytes)
          for (const [where, value] of changes) damaged[Math.floor(where * damaged.length)] = value
          await readArchive(sourceOf(damaged), filename).catch((error: unknown) =>
            assert.ok(error instanceof InvalidInput),
          )
        },
      ),
      {numRuns: 500},
    )
  })
})
