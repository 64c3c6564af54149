import assert from 'node:assert/strict'
import {execFileSync, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, readdir, rm, stat, truncate, writeFile} from 'node:fs/promises'
import {Readable} from 'node:stream'
import {buffer} from 'node:stream/consumers'
import {setTimeout as sleep} from 'node:timers/promises'
import {describe, it} from 'node:test'
import {fileURLToPath} from 'node:url'
import {openDiskCache, DiskCache, type CachedObject} from '../../src/lib/storage/disk-cache/disk-cache.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {ObjectMissing} from '../../src/lib/storage/storage.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'
import {contentOf, objectOf, objectSize} from './disk-cache-objects.js'

/** A store in memory that counts, and that gives the bytes as slowly as `pace` wants. */
class Source {
  opened = 0
  isStillThere = true
  constructor(
    readonly content: Buffer,
    readonly pace: () => Promise<unknown> = () => Promise.resolve(),
  ) {}
  open = (range?: {start: number; end: number}): Promise<Readable> => {
    this.opened += 1
    const part = this.content.subarray(range?.start ?? 0, (range?.end ?? Infinity) + 1)
    const {pace} = this
    const pieces = async function* () {
      for (let start = 0; start < part.length; start += 10_000) {
        await pace()
        yield part.subarray(start, start + 10_000)
      }
    }
    return Promise.resolve(Readable.from(pieces(), {objectMode: false}))
  }
  isCurrent = () => Promise.resolve(this.isStillThere)
}

const readOf = async (
  cache: DiskCache,
  object: CachedObject,
  source: Source,
  range?: {start: number; end: number},
) => {
  const opened = await cache.open(object, source, range)
  if (opened instanceof Readable) return buffer(opened)
  return buffer(opened.createReadStream(range))
}
const read = (cache: DiskCache, number: number, source = new Source(contentOf(number))) =>
  readOf(cache, objectOf(number), source)
const database = {'db.url': 'sqlite://', 'session.validate_key': 'test-validate-key'}
/** Once nothing is being filled. */
const settled = async (directory: string) => {
  while ((await readdir(`${directory}/ppc-disk-cache/filling`)).length > 0) await sleep(5)
}
/** Paths of the whole files. */
const filesIn = async (directory: string) =>
  (await readdir(`${directory}/ppc-disk-cache/files`, {recursive: true, withFileTypes: true}))
    .filter(entry => entry.isFile())
    .map(entry => `${entry.parentPath}/${entry.name}`)
/** Sizes of the whole files, by what tells a file from a later one in its place. */
const sizesIn = async (directory: string) => {
  const sizes = new Map<string, number>()
  for (const path of await filesIn(directory)) {
    const found = await stat(path).catch(() => undefined)
    if (found) sizes.set(`${found.ino} ${found.birthtimeMs} ${path}`, found.size)
  }
  return sizes
}
/** Of the files that were there all the time between two looks: one look takes long enough to see a file and its successor. */
const bytesIn = async (directory: string) => {
  const [before, after] = [await sizesIn(directory), await sizesIn(directory)]
  return [...before].reduce((sum, [file, size]) => sum + (after.has(file) ? size : 0), 0)
}
const reader = (directory: string, maxSize: number, rounds: number, seed: number) =>
  spawn(
    process.execPath,
    [
      fileURLToPath(new URL('disk-cache-reader.js', import.meta.url)),
      directory,
      String(maxSize),
      String(rounds),
      String(seed),
    ],
    {stdio: ['ignore', 'pipe', 'inherit']},
  )

describe('the disk cache', () => {
  it('fetches a file once, also when many ask for it at the same moment, and keeps it over a restart', async () => {
    await using dir = await tempDir()
    const source = new Source(contentOf(1), () => sleep(1))
    {
      await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
      const answers = await Promise.all(Array.from({length: 8}, () => read(cache, 1, source)))
      for (const bytes of answers) assert.ok(bytes.equals(contentOf(1)))
      await settled(dir.path)
    }
    await using again = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    assert.equal(await again.holds(objectOf(1)), true)
    assert.ok((await read(again, 1, source)).equals(contentOf(1)))
    assert.equal(source.opened, 1)
  })

  it('takes another digest, size, key or store for another file', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    await read(cache, 1)
    await settled(dir.path)
    const object = objectOf(1)
    for (const other of [{sha256: objectOf(2).sha256}, {size: 1}, {key: 'x'}, {store: 's3://other/'}]) {
      assert.equal(await cache.holds({...object, ...other}), false)
    }
    assert.equal(await cache.holds({...object, fingerprint: 'written again, same bytes'}), true)
    assert.equal(await cache.holds({...object, sha256: undefined}), false)
  })

  it('answers parts from whole files, and fetches no whole file for a part', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    const source = new Source(contentOf(1))
    const range = {start: 50, end: 99}
    assert.ok((await readOf(cache, objectOf(1), source, range)).equals(contentOf(1).subarray(50, 100)))
    assert.deepEqual(await filesIn(dir.path), [])
    await read(cache, 1, source)
    await settled(dir.path)
    assert.ok((await readOf(cache, objectOf(1), source, range)).equals(contentOf(1).subarray(50, 100)))
    assert.equal(source.opened, 2)
  })

  it('lets go what was not used for longest, and is never larger than allowed', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 3 * objectSize})
    for (const number of [1, 2, 3, 1, 4, 5]) {
      await read(cache, number)
      await settled(dir.path)
      assert.ok((await bytesIn(dir.path)) <= 3 * objectSize)
    }
    const held = await Promise.all([1, 2, 3, 4, 5].map(number => cache.holds(objectOf(number))))
    assert.deepEqual(held, [true, false, false, true, true])
  })

  it('gives on what is larger than all of it, without keeping it', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: objectSize - 1})
    assert.ok((await read(cache, 1)).equals(contentOf(1)))
    assert.deepEqual(await filesIn(dir.path), [])
  })

  it('fills to the end when the reader goes away, and waits for no slow one', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    const slow = (await cache.open(objectOf(1), new Source(contentOf(1)))) as Readable
    const gone = (await cache.open(objectOf(2), new Source(contentOf(2)))) as Readable
    gone.destroy()
    await settled(dir.path)
    assert.equal(await cache.holds(objectOf(1)), true)
    assert.equal(await cache.holds(objectOf(2)), true)
    assert.ok((await buffer(slow)).equals(contentOf(1)))
  })

  it('keeps nothing that has another digest, is cut short, or was replaced while it came', async () => {
    await using dir = await tempDir()
    const troubles: string[] = []
    await using cache = await DiskCache.open({
      directory: dir.path,
      maxSize: 1e6,
      onTrouble: message => troubles.push(message),
    })
    const wrong = Buffer.from(contentOf(1)).fill('x', 99_990)
    assert.ok((await read(cache, 1, new Source(wrong))).equals(wrong)) // the client checks it, too
    await read(cache, 2, new Source(contentOf(2).subarray(0, 5000)))
    const replaced = Object.assign(new Source(contentOf(3)), {isStillThere: false})
    await readOf(cache, {...objectOf(3), sha256: undefined}, replaced)
    await settled(dir.path)
    assert.deepEqual(await filesIn(dir.path), [])
    assert.equal(troubles.length, 1)
    assert.match(troubles[0] ?? '', /project\/file-1\.zip does not have its recorded digest/)
  })

  it('goes on from the store when filling fails in the middle', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    const source = new Source(contentOf(1))
    let pieces = 0
    const broken = new Source(contentOf(1), () =>
      (pieces += 1) < 5 ? Promise.resolve() : Promise.reject(new Error('reset')),
    )
    const both = {
      open: (range?: {start: number; end: number}) => (range ? source : broken).open(range),
      isCurrent: broken.isCurrent,
    }
    const opened = await cache.open(objectOf(1), both)
    assert.ok((await buffer(opened as Readable)).equals(contentOf(1)))
    assert.equal(source.opened, 1)
  })

  it('says at once that there is no such object, to all who ask', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    const source = {
      open: () => sleep(5).then(() => Promise.reject(new ObjectMissing('not stored'))),
      isCurrent: () => Promise.resolve(false),
    }
    const asked = await Promise.allSettled([cache.open(objectOf(1), source), cache.open(objectOf(1), source)])
    for (const answer of asked)
      assert.ok(answer.status === 'rejected' && answer.reason instanceof ObjectMissing)
    await settled(dir.path)
    assert.ok((await read(cache, 1)).equals(contentOf(1)))
  })

  it('fetches again what was cut or emptied behind its back', async () => {
    await using dir = await tempDir()
    await using cache = await DiskCache.open({directory: dir.path, maxSize: 1e6})
    await read(cache, 1)
    await settled(dir.path)
    const [path = ''] = await filesIn(dir.path)
    await truncate(path, 10)
    assert.ok((await read(cache, 1)).equals(contentOf(1)))
    await settled(dir.path)
    await rm(`${dir.path}/ppc-disk-cache`, {recursive: true})
    assert.ok((await read(cache, 1)).equals(contentOf(1)))
  })

  it('is shared by processes, of which some are killed, and stays within its size', async () => {
    await using dir = await tempDir()
    const maxSize = 5 * objectSize
    await (await DiskCache.open({directory: dir.path, maxSize}))[Symbol.asyncDispose]() // makes the folders
    const children = [1, 2, 3].map(seed => reader(dir.path, maxSize, 150, seed))
    const exits = children.map(child => once(child, 'exit'))
    const victims = [reader(dir.path, maxSize, 1e6, 4), reader(dir.path, maxSize, 1e6, 5)]
    const killed = victims.map(victim => once(victim, 'exit'))
    let most = 0
    let running = true
    void Promise.all(exits).then(() => (running = false))
    for (let step = 0; running; step += 1) {
      most = Math.max(most, await bytesIn(dir.path))
      if (step === 40) for (const victim of victims) victim.kill('SIGKILL')
      await sleep(5)
    }
    for (const victim of victims) victim.kill('SIGKILL')
    await Promise.all(killed)
    for (const exit of exits) assert.deepEqual(await exit, [0, null])
    assert.ok(most > 0 && most <= maxSize, `${most} bytes`)
    await using cache = await DiskCache.open({directory: dir.path, maxSize})
    assert.deepEqual(await readdir(`${dir.path}/ppc-disk-cache/filling`), [], 'what the killed ones left')
    assert.ok((await read(cache, 1)).equals(contentOf(1)))
  })

  it('serves from the store when the disk is full, and says so once', needs('root'), async () => {
    await using dir = await tempDir()
    const mount = dir.join('small')
    await mkdir(mount)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount])
    const troubles: string[] = []
    try {
      await writeFile(`${mount}/ballast`, Buffer.alloc(220_000))
      await using cache = await DiskCache.open({
        directory: mount,
        maxSize: 1e9,
        onTrouble: message => troubles.push(message),
      })
      for (const number of [1, 2, 3]) {
        assert.ok((await read(cache, number)).equals(contentOf(number)))
        await settled(mount)
      }
      assert.deepEqual(await filesIn(mount), [])
      assert.match(troubles.join('\n'), /^the disk cache keeps nothing new now.*: the disk is full$/)
    } finally {
      execFileSync('umount', ['-l', mount])
    }
  })

  it('is for this user alone, and touches nothing else in the directory', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('mine'), 'text')
    await using cache = await DiskCache.open({directory: dir.path, maxSize: objectSize})
    await read(cache, 1)
    await settled(dir.path)
    assert.equal((await stat(dir.join('ppc-disk-cache'))).mode & 0o777, 0o700)
    assert.deepEqual((await readdir(dir.path)).sort(), ['mine', 'ppc-disk-cache'])
    execFileSync('chmod', ['755', dir.join('ppc-disk-cache')])
    await assert.rejects(DiskCache.open({directory: dir.path, maxSize: 1}), /open to other users/)
  })

  it('is not made in front of a directory', async () => {
    await using dir = await tempDir()
    const config = await configWith(dir.path, {
      ...database,
      'storage.dir': dir.join('packages'),
      'storage.disk_cache.dir': dir.join('cache'),
    })
    assert.match(config.warnings.map(({message}) => message).join(), /files are on a disk already/)
    await using store = await openDirectory(dir.join('packages'))
    assert.equal(await openDiskCache(config, store, () => undefined), undefined)
  })

  it('has a size in units, and a wrong one is refused', async () => {
    await using dir = await tempDir()
    const bucket = {...database, 'pypi.storage': 's3', 'storage.bucket': 'b', 'storage.disk_cache.dir': 'x'}
    for (const good of ['5000000', '500MB', '1.5 GiB', '10g']) {
      await configWith(dir.path, {...bucket, 'storage.disk_cache.max_size': good})
    }
    for (const bad of ['many', '0', '-1GB', '10 XB', '']) {
      await assert.rejects(
        configWith(dir.path, {...bucket, 'storage.disk_cache.max_size': bad}),
        /server\.ini:\d+: storage\.disk_cache\.max_size: found ".*", expected a size such as 500MB/,
      )
    }
  })
})
