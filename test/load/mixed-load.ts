import {readFile} from 'node:fs/promises'
import {setTimeout as sleep} from 'node:timers/promises'
import {basic} from '../server/installation.js'
import {childrenOf} from '../services/signal.js'
import {testPassword, type LiveServer} from '../support/live-server.js'
import {waitFor} from '../support/wait.js'
import {Chance} from './chance.js'
import {Client, type Told} from './client.js'
import {disturb, type Victims} from './disturbances.js'

export interface LoadOptions {
  readonly seconds: number
  readonly seed: number
  readonly clients: number
  /** What is killed and frozen, beside the workers. */
  readonly services: Victims['services']
  /** Whether workers are killed too. */
  readonly workers: boolean
  readonly tell: (line: string) => void
}

export interface LoadReport {
  /** What should never have been answered, or was not there in the end. */
  readonly faults: readonly string[]
  /** Answers by status, and requests whose connection broke, by reason. */
  readonly statuses: Readonly<Record<string, number>>
  /** Files that must be there. */
  readonly published: number
  /** The largest of the workers' memory in the end, in bytes. */
  readonly memory: number
  /** From the end of the disturbances until all pages were right. */
  readonly healedMs: number
  /** Deletes what nobody was told the end of, once a rebuild lists it. @returns what was not deleted. */
  removeUnsure(): Promise<readonly string[]>
}

/**
 * People read, publish, delete and yank on servers while what they need is killed, frozen and started again. Each knows
 * what its own projects must look like, also meanwhile; in the end everything is compared.
 */
export async function mixedLoad(
  servers: readonly [LiveServer, ...LiveServer[]],
  options: LoadOptions,
): Promise<LoadReport> {
  const told: Told = {faults: [], statuses: new Map()}
  const {seed} = options
  const clients = Array.from({length: options.clients}, (_, i) => {
    const chance = new Chance(seed * 1000 + i)
    const {url} = servers[i % servers.length] ?? servers[0]
    return new Client(`load${i}`, url, basic('writer', testPassword), chance, told)
  })
  const published = () => clients.reduce((sum, {truth}) => sum + truth.here().length, 0)
  const calm = AbortSignal.timeout(options.seconds * 1000)
  const stop = new AbortController()
  const serverPids = servers.map(({process}) => process.pid ?? 0)
  const disturbances = async () => {
    const serverVictims = options.workers ? serverPids : []
    await Promise.all([
      disturb({services: options.services, serverPids: serverVictims}, new Chance(seed), calm, options.tell),
      rebuildNowAndThen(servers[0].url, new Chance(seed + 1), calm),
    ])
    // where a worker takes as long to start as it lives, nobody has got anything done meanwhile
    await waitFor('each client could publish something', () => published() >= clients.length)
  }
  await Promise.all([
    ...clients.map(client => client.work(stop.signal)),
    disturbances().finally(() => stop.abort()),
  ])
  const began = performance.now()
  await Promise.all(servers.map(({url}) => untilWell(url)))
  let wrong: string[] = []
  for (let tries = 0; tries < 200; tries += 1) {
    const checks = servers.flatMap(({url}) => clients.map(client => client.checkPages(url)))
    wrong = (await Promise.all(checks)).flat()
    if (wrong.length === 0) break
    await sleep(100)
  }
  const healedMs = performance.now() - began
  told.faults.push(...wrong)
  for (const client of clients) told.faults.push(...(await client.checkFiles()))
  const workers = await Promise.all(serverPids.map(childrenOf))
  return {
    faults: told.faults,
    statuses: Object.fromEntries(told.statuses),
    published: published(),
    memory: Math.max(...(await Promise.all(workers.flat().map(residentBytes)))),
    healedMs,
    removeUnsure: async () => (await Promise.all(clients.map(client => client.removeUnsure()))).flat(),
  }
}

/** As an administrator who doubts the index. What it is answered is as it may be. */
async function rebuildNowAndThen(url: string, chance: Chance, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await sleep(chance.between(3000, 8000), undefined, {signal: stop}).catch(() => undefined)
    const headers = {authorization: basic('admin', testPassword)}
    await fetch(`${url}/admin/rebuild`, {method: 'POST', headers, signal: stop}).then(
      answer => answer.body?.cancel(),
      () => undefined,
    )
  }
}

/** Ready, and nothing unknown: names that never were are 404 again. */
async function untilWell(url: string): Promise<void> {
  const headers = {authorization: basic('reader', testPassword)}
  for (let tries = 0; tries < 900; tries += 1) {
    const answers = await Promise.all(
      ['/readyz', '/simple/never-published/'].map(path =>
        fetch(url + path, {headers}).then(
          async answer => (await answer.arrayBuffer(), answer.status),
          () => 0,
        ),
      ),
    )
    if (answers[0] === 200 && answers[1] === 404) return
    await sleep(100)
  }
  throw new Error('the server did not become well again')
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}
