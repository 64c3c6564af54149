import {createHash, randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {Readable} from 'node:stream'
import {openBackends} from '../src/lib/backends.js'
import {readConfig} from '../src/lib/config/config.js'
import {PackageStorage} from '../src/lib/storage/package-storage.js'
import {isOddity} from '../src/lib/storage/storage.js'
import {keepHeapLean} from '../src/lib/terminal/lean-heap.js'
import {listBare, type BareListing} from './bare-listing.js'

/** What one run of this program prints as JSON. */
export interface WorkerResult {
  readonly seconds: number
  /** Objects, or bytes. */
  readonly count: number
  /** MB that the process held before, and at most. */
  readonly idle: number
  readonly peak: number
}

const bigSize = 1 << 30 // bytes
const bigKey = 'bench-big/bench-big-1.0.tar.gz'

/**
 * `list CONFIG`: every file with its metadata. `fill CONFIG FILES`: so many small ones. `up CONFIG`, `down CONFIG`: 1 GB. And, by
 * a `BareListing` as JSON, `bare`: a list and 64 parallel HEAD; `bare-list`: without them.
 */
const works: Readonly<Record<string, (storage: PackageStorage, files: number) => Promise<number>>> = {
  async list(storage) {
    let count = 0
    for await (const entry of storage.list()) if (!isOddity(entry)) count += 1
    return count
  },
  async fill({store}, files) {
    let next = 0
    const put = async () => {
      while (next < files) {
        const [project, version] = [
          `bench-${String(Math.floor(next / 10)).padStart(5, '0')}`,
          `1.${next % 10}`,
        ]
        next += 1
        const filename = `${project.replace('-', '_')}-${version}-py3-none-any.whl`
        const bytes = Buffer.from(filename)
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        const metadata = {
          name: project,
          version,
          hash_sha256: sha256,
          summary: 'a file',
          requires_python: '>=3.8',
        }
        const body = {size: bytes.length, open: () => Readable.from([bytes])}
        await store.put(`${project}/${filename}`, body, {replace: true, unlisted: true, metadata})
      }
    }
    await Promise.all(Array.from({length: 16}, put))
    return files
  },
  async up({store}) {
    const block = randomBytes(64 * 1024)
    const blocks = function* () {
      for (let sent = 0; sent < bigSize; sent += block.length) yield block
    }
    const body = {size: bigSize, open: () => Readable.from(blocks(), {objectMode: false})}
    return (await store.put(bigKey, body, {replace: true})).size
  },
  async down({store}) {
    const hash = createHash('sha256')
    let count = 0
    for await (const chunk of await store.open(bigKey)) {
      hash.update(chunk as Buffer)
      count += (chunk as Buffer).length
    }
    return count
  },
}

const resident = async (field: 'VmRSS' | 'VmHWM'): Promise<number> =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(await readFile('/proc/self/status', 'utf8'))?.[1]) / 1024

async function measured(work: () => Promise<number>): Promise<WorkerResult> {
  const idle = await resident('VmRSS')
  const start = performance.now()
  const count = await work()
  return {count, seconds: (performance.now() - start) / 1000, idle, peak: await resident('VmHWM')}
}

async function main([name = '', where = '', ...more]: readonly string[]): Promise<WorkerResult> {
  const work = works[name]
  if (work === undefined) {
    const listing = JSON.parse(where) as BareListing
    return measured(() => listBare(listing, {heads: name === 'bare'}))
  }
  keepHeapLean() // as the tools do
  await using backends = await openBackends(await readConfig(where), ['storage'])
  const storage = new PackageStorage(backends.storage)
  return await measured(() => work(storage, Number(more[0])))
}

process.stdout.write(JSON.stringify(await main(process.argv.slice(2))))
