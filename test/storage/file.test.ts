import assert from 'node:assert/strict'
import {execFileSync, fork, spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'
import {cp, mkdir, readdir, readFile, stat, symlink, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {buffer} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {StorageFailed} from '../../src/lib/errors.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {isOddity, type ObjectStore, type Oddity} from '../../src/lib/storage/storage.js'
import {bodyOf} from '../contracts/object-store.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

const fileOf = (filename: string, more: Partial<DistFile> = {}): DistFile => ({
  filename,
  name: 'foo',
  version: '1.0',
  lastModified: new Date(),
  summary: null,
  data: {},
  ...more,
})

async function listing(store: ObjectStore): Promise<{files: DistFile[]; oddities: Oddity[]}> {
  const files: DistFile[] = []
  const oddities: Oddity[] = []
  for await (const entry of new PackageStorage(store).list()) {
    if (isOddity(entry)) oddities.push(entry)
    else files.push(entry)
  }
  return {files, oddities}
}
const namesIn = async (directory: string) => (await readdir(directory, {recursive: true})).sort()

describe('A directory that pypicloud wrote', () => {
  it('lists completely (1.3.12), with times, digests and summaries', async () => {
    await using dir = await tempDir()
    await cp(join(fixtures, 'file-storage/packages'), dir.path, {recursive: true})
    type Times = Record<string, {mtime: number; size: number}>
    const times = JSON.parse(readFileSync(join(fixtures, 'file-storage/mtimes.json'), 'utf8')) as Times
    for (const [path, {mtime}] of Object.entries(times)) await utimes(dir.join(path), mtime, mtime)
    const {files, oddities} = await listing(await openDirectory(dir.path))
    assert.deepEqual(oddities, [])
    const expected = Object.entries(times).filter(([path]) => !path.endsWith('.meta'))
    assert.equal(files.length, expected.length)
    for (const [path, {mtime, size}] of expected) {
      const [name, version, filename] = path.split('/')
      const file = files.find(found => found.filename === filename)
      assert.ok(file, path)
      assert.deepEqual([file.name, file.version, file.data.size], [name, version, size])
      assert.ok(Math.abs(file.lastModified.getTime() - mtime * 1000) < 2)
      assert.equal(
        file.data.hash_sha256,
        createHash('sha256')
          .update(readFileSync(dir.join(path)))
          .digest('hex'),
      )
      assert.equal(file.data.path, undefined)
    }
    const lib = files.find(file => file.filename === 'open-lib-0.9.tar.gz')
    assert.equal(lib?.summary, 'Bibliothèque ouverte — 開かれた')
    assert.equal(lib.data.requires_python, '>=2.7,!=3.0.*')
    assert.equal(lib.data.uploader, 'ada')
  })

  it('lists completely (1.0.11)', async () => {
    const {files, oddities} = await listing(await openDirectory(join(fixtures, 'v1.0.11/packages')))
    assert.deepEqual(oddities, [])
    assert.equal(files.length, 14)
    assert.equal(files.find(file => file.filename === 'eggy-1.0-py2.7.egg')?.summary, null)
    assert.equal(files.find(file => file.name === 'secret-lib')?.summary, 'only devs')
  })

  it('gets metadata as Python writes it', async () => {
    await using dir = await tempDir()
    const storage = new PackageStorage(await openDirectory(dir.path))
    const data = {
      upload_time: '2026-11-20T23:09:52.673762Z',
      uploader: 'ada',
      hash_sha256: 'ab',
      size: 1,
      requires_python: '>=3.6',
    }
    await storage.put(fileOf('foo-1.0.zip', {summary: 'Sü "q" 🐍\t\x7f', data}), bodyOf('x'), {
      replace: false,
    })
    assert.equal(
      await readFile(dir.join('foo/1.0/foo-1.0.zip.meta'), 'utf8'),
      '{"requires_python": ">=3.6", "hash_sha256": "ab", "uploader": "ada", ' +
        '"summary": "S\\u00fc \\"q\\" \\ud83d\\udc0d\\t\\u007f", "upload_time": "2026-11-20T23:09:52.673762Z"}',
    )
  })

  it('keeps working with a .meta that is missing, damaged, or of another make', async () => {
    await using dir = await tempDir()
    await mkdir(dir.join('foo/1.0'), {recursive: true})
    const metas = [
      '{"summary": null}',
      'not JSON',
      '[]',
      '',
      '{"hash-sha256": "ab", "__proto__": {"x": 1}, "n": 3, "summary": "s"}',
    ]
    for (const [index, meta] of metas.entries()) {
      await writeFile(dir.join(`foo/1.0/foo-${index}.zip`), 'x')
      await writeFile(dir.join(`foo/1.0/foo-${index}.zip.meta`), meta)
    }
    const {files, oddities} = await listing(await openDirectory(dir.path))
    assert.equal(files.length, 5)
    assert.equal(oddities.length, 3)
    const last = files.find(file => file.filename === 'foo-4.zip')
    assert.deepEqual([last?.summary, last?.data.hash_sha256, last?.data['n']], ['s', 'ab', '3'])
  })

  it('reports strangers and goes on', async () => {
    await using dir = await tempDir()
    await using elsewhere = await tempDir()
    const store = await openDirectory(dir.path)
    await new PackageStorage(store).put(fileOf('foo-1.0.zip'), bodyOf('x'), {replace: false})
    await mkdir(dir.join('lost+found'))
    await mkdir(dir.join('foo/1.0/sub/deep'), {recursive: true})
    const strays = [
      '.DS_Store',
      'README',
      'foo/stray.zip',
      'foo/1.0/.metadata.0a1b2c3d',
      'foo/1.0/.foo-1.0.zip.0a1b2c3d',
      'foo/1.0/sub/x',
    ]
    for (const stray of strays) await writeFile(dir.join(stray), '')
    await symlink(elsewhere.path, dir.join('linked'))
    await symlink('/nowhere', dir.join('foo/1.0/broken.zip'))
    await symlink('foo-1.0.zip', dir.join('foo/1.0/alias-1.0.zip'))
    await writeFile(Buffer.concat([Buffer.from(dir.join('foo/1.0/bad-')), Buffer.from([0xff, 0xfe])]), '')
    execFileSync('mkfifo', [dir.join('foo/1.0/pipe'), dir.join('foo/1.0/foo-2.zip.meta')])
    await writeFile(dir.join('foo/1.0/foo-2.zip'), '')
    const {files, oddities} = await listing(store)
    assert.deepEqual(files.map(file => file.filename).sort(), ['alias-1.0.zip', 'foo-1.0.zip', 'foo-2.zip'])
    const keys = oddities.map(oddity => oddity.key)
    const named = [
      ...strays.slice(0, 5),
      'lost+found',
      'linked',
      'foo/1.0/broken.zip',
      'foo/1.0/sub',
      'foo/1.0/pipe',
    ]
    for (const key of named) assert.ok(keys.includes(key), `${key} is reported`)
    assert.ok(keys.some(key => key.startsWith('foo/1.0/bad-')))
  })

  it('serves and deletes files in directories that are not spelt as we would', async () => {
    await using dir = await tempDir()
    await mkdir(dir.join('Foo_Bar/1.0'), {recursive: true})
    await writeFile(dir.join('Foo_Bar/1.0/foo_bar-1.0.zip'), 'here')
    const storage = new PackageStorage(await openDirectory(dir.path))
    const {files} = await listing(storage.store)
    const file = files[0]!
    assert.equal(file.name, 'foo-bar')
    assert.equal((await buffer(await storage.open(file))).toString(), 'here')
    await storage.delete(file)
    assert.deepEqual(await namesIn(dir.path), [])
  })
})

describe('A directory', () => {
  it('is made with its parents, and may be a link', async () => {
    await using dir = await tempDir()
    await openDirectory(dir.join('a/b/c'))
    await symlink(dir.join('a/b/c'), dir.join('link'))
    const store = await openDirectory(dir.join('link'))
    await new PackageStorage(store).put(fileOf('foo-1.0.zip'), bodyOf('x'), {replace: false})
    assert.equal((await listing(store)).files.length, 1)
  })

  it('moves an upload instead of copying it, and other users may read it', async () => {
    await using dir = await tempDir()
    const storage = new PackageStorage(await openDirectory(dir.join('packages')))
    await writeFile(dir.join('upload'), 'bytes', {mode: 0o600})
    const {ino} = await stat(dir.join('upload'))
    await storage.put(
      fileOf('foo-1.0.zip'),
      {...bodyOf('bytes'), disposablePath: dir.join('upload')},
      {replace: false},
    )
    const stored = await stat(dir.join('packages/foo/1.0/foo-1.0.zip'))
    assert.equal(stored.ino, ino)
    const meta = await stat(dir.join('packages/foo/1.0/foo-1.0.zip.meta'))
    assert.equal(stored.mode, meta.mode)
    assert.deepEqual(await readdir(dir.path), ['packages'])
  })

  it('leaves only files and their metadata behind', async () => {
    await using dir = await tempDir()
    const store = await openDirectory(dir.path)
    const storage = new PackageStorage(store)
    const file = fileOf('foo-1.0.zip')
    await storage.put(file, bodyOf('x'), {replace: false})
    await storage.put(file, bodyOf('y'), {replace: true})
    await store.notes!.write('{}', undefined)
    const expected = [
      'foo',
      'foo/1.0',
      'foo/1.0/foo-1.0.zip',
      'foo/1.0/foo-1.0.zip.meta',
      'ppc-toolkit.notes.meta',
    ]
    assert.deepEqual(await namesIn(dir.path), expected)
  })

  it('never shows a new file with the metadata that an older one left', async () => {
    await using dir = await tempDir()
    await mkdir(dir.join('foo/1.0'), {recursive: true})
    await writeFile(dir.join('foo/1.0/foo-1.0.zip.meta'), '{"hash_sha256": "of another file"}')
    const storage = new PackageStorage(await openDirectory(dir.path))
    const stored = await storage.put(fileOf('foo-1.0.zip'), bodyOf('x'), {replace: false})
    assert.equal(stored.data.hash_sha256, undefined)
  })

  it('stores nothing that does not read back as it came', async () => {
    await using dir = await tempDir()
    const store = await openDirectory(dir.join('packages'))
    for (const size of [1000, 300_000]) {
      const bytes = Buffer.alloc(size, 'a')
      const changing = {
        ...bodyOf(bytes),
        whole: () => {
          process.nextTick(() => bytes.fill('b')) // when it is written, and before it is read again
          return Promise.resolve(bytes)
        },
        sha256: () => createHash('sha256').update('other bytes').digest('hex'),
      }
      const put = store.put('foo/1.0/foo-1.0.tar.gz', changing, {replace: false})
      await assert.rejects(put, /does not read back the same/)
    }
    assert.deepEqual(await namesIn(dir.join('packages')), [])
  })

  it('removes what a crash left an hour ago, and nothing else', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('.ppc-upload-0123456789abcdef.meta'), '')
    await openDirectory(dir.path)
    assert.deepEqual(
      await readdir(dir.path),
      ['.ppc-upload-0123456789abcdef.meta'],
      'it may still be written',
    )
    assert.deepEqual((await listing(await openDirectory(dir.path))).oddities, [])
  })

  it('says in one sentence what it can not do', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('file'), '')
    await assert.rejects(openDirectory(dir.join('file/packages')), (error: unknown) => {
      assert.ok(error instanceof StorageFailed)
      assert.match(error.message, /file\/packages can't be used: a file lies where a directory belongs$/)
      return true
    })
  })

  it('holds whole files only, after its writer was killed at any moment', async () => {
    await using dir = await tempDir()
    const writer = new URL('./file-writer.js', import.meta.url)
    for (let round = 0; round < 12; round += 1) {
      const child = fork(writer, [dir.path, String(round)], {stdio: 'ignore'})
      await once(child, 'message')
      await new Promise(resolve => setTimeout(resolve, Math.random() * 60))
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    const {files, oddities} = await listing(await openDirectory(dir.path))
    assert.deepEqual(oddities, [])
    assert.ok(files.length > 0)
    for (const file of files) {
      const bytes = await readFile(dir.join(file.name, file.version, file.filename))
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      assert.ok(
        [undefined, sha256].includes(file.data.hash_sha256),
        `${file.filename} has its own metadata or none`,
      )
      assert.equal(bytes.length, 50_000)
    }
  })

  it('keeps the metadata of a file that can not be removed', needs('root'), async () => {
    await using dir = await tempDir()
    const storage = new PackageStorage(await openDirectory(dir.path))
    const file = fileOf('foo-1.0.zip')
    await storage.put(file, bodyOf('bytes'), {replace: false})
    const path = dir.join('foo/1.0/foo-1.0.zip')
    const metadata = await readFile(`${path}.meta`, 'utf8')
    execFileSync('mount', ['--bind', path, path]) // what is mounted is in use
    try {
      await assert.rejects(storage.delete(file), StorageFailed)
    } finally {
      execFileSync('umount', [path])
    }
    assert.equal(await readFile(`${path}.meta`, 'utf8'), metadata)
    await storage.delete(file)
    assert.deepEqual(await readdir(dir.path), [])
  })

  it('keeps what it has when the disk is full', needs('root'), async () => {
    await using dir = await tempDir()
    const mount = dir.join('small')
    await mkdir(mount)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount])
    try {
      const storage = new PackageStorage(await openDirectory(mount))
      await storage.put(fileOf('foo-1.0.zip'), bodyOf('old'), {replace: false})
      for (const replace of [true, false]) {
        const file = fileOf(replace ? 'foo-1.0.zip' : 'foo-2.0.zip', {version: replace ? '1.0' : '2.0'})
        await assert.rejects(
          storage.put(file, bodyOf(Buffer.alloc(1 << 20)), {replace}),
          (error: unknown) => {
            assert.ok(error instanceof StorageFailed)
            assert.match(error.message, /the disk is full$/)
            return true
          },
        )
      }
      assert.equal((await buffer(await storage.open(fileOf('foo-1.0.zip')))).toString(), 'old')
      assert.deepEqual(await namesIn(mount), [
        'foo',
        'foo/1.0',
        'foo/1.0/foo-1.0.zip',
        'foo/1.0/foo-1.0.zip.meta',
      ])
      execFileSync('mount', ['-o', 'remount,ro', mount])
      const refused = storage.put(fileOf('foo-3.zip'), bodyOf('x'), {replace: false})
      await assert.rejects(refused, /the file system is read-only$/)
      await assert.rejects(storage.delete(fileOf('foo-1.0.zip')), /the file system is read-only$/)
      assert.equal((await listing(await openDirectory(mount))).files.length, 1, 'it can still be read')
    } finally {
      spawnSync('umount', [mount])
    }
  })
})
