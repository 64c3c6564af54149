import {createHash, randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {Agent, request, type IncomingMessage} from 'node:http'
import {once} from 'node:events'
import {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'
import {openBackends} from '../src/lib/backends.js'
import {readConfig} from '../src/lib/config/config.js'
import {PackageStorage} from '../src/lib/storage/package-storage.js'
import {isOddity} from '../src/lib/storage/storage.js'
import {keepHeapLean} from '../src/lib/terminal/lean-heap.js'

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
 * `list CONFIG`: every file with its metadata. `fill CONFIG FILES`: so many small ones. `up CONFIG`, `down CONFIG`: 1 GB. `bare BUCKET-URL`:
 * a list and 64 parallel HEAD; `bare-list`: without them. `bare-pages URL TOKEN PARAMETER`: the pages of a listing, without a look at them.
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

/** Lists a bucket that everybody may read, and asks for the head of each object: nothing is signed or made sense of. */
async function listBare(bucketUrl: string, {heads}: {heads: boolean}): Promise<number> {
  const agent = new Agent({keepAlive: true, maxSockets: 65})
  const ask = async (method: string, url: string) => {
    const [answer] = (await once(request(url, {method, agent}).end(), 'response')) as [IncomingMessage]
    const body = await text(answer)
    if (answer.statusCode !== 200) throw new Error(`${url}: ${String(answer.statusCode)} ${body}`)
    return body
  }
  let count = 0
  const asked = new Set<Promise<void>>()
  for (let token: string | undefined = ''; token !== undefined;) {
    const after: string = token && `&continuation-token=${encodeURIComponent(token)}`
    const page = await ask('GET', `${bucketUrl}?list-type=2${after}`)
    token = /<NextContinuationToken>([^<]+)/.exec(page)?.[1]
    for (const [, key = ''] of page.matchAll(/<Key>([^<]+)/g)) {
      count += 1
      if (!heads) continue
      if (asked.size === 64) await Promise.race(asked)
      const head: Promise<void> = ask('HEAD', `${bucketUrl}/${key}`).then(() => {
        asked.delete(head)
      })
      asked.add(head)
    }
  }
  await Promise.all(asked)
  agent.destroy()
  return count
}

/** Each has to be asked for by what the one before it says. @param token a pattern of it. */
async function readPages(first: string, token: string, parameter: string): Promise<number> {
  const agent = new Agent({keepAlive: true})
  let pages = 0
  for (let next: string | undefined = ''; next !== undefined; pages += 1) {
    const url: string = next === '' ? first : `${first}&${parameter}=${encodeURIComponent(next)}`
    const [answer] = (await once(request(url, {agent}).end(), 'response')) as [IncomingMessage]
    const page = await text(answer)
    if (answer.statusCode !== 200) throw new Error(`${url}: ${String(answer.statusCode)} ${page}`)
    next = new RegExp(token).exec(page)?.[1]
  }
  agent.destroy()
  return pages
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
  if (name === 'bare-pages') return measured(() => readPages(where, more[0] ?? '', more[1] ?? ''))
  if (work === undefined) return measured(() => listBare(where, {heads: name === 'bare'}))
  keepHeapLean() // as the tools do
  await using backends = await openBackends(await readConfig(where), ['storage'])
  const storage = new PackageStorage(backends.storage)
  return await measured(() => work(storage, Number(more[0])))
}

process.stdout.write(JSON.stringify(await main(process.argv.slice(2))))
