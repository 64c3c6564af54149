import {execFile} from 'node:child_process'
import {readFile} from 'node:fs/promises'
import {promisify} from 'node:util'
import {freePort} from '../test/support/free-port.js'
import {liveServer, startServer, testPassword, type LiveServer} from '../test/support/live-server.js'
import {program} from '../test/support/needs.js'
import {tempDir} from '../test/support/temp.js'
import {bareServer} from './bare-server.js'
import {fillStorage} from './data.js'
import {measureLargePages} from './large-pages.js'
import {wrk} from './pages.js'
import {median, number, type Row} from './report.js'
import {runTool} from './tools.js'

const run = promisify(execFile)
const authorization = `Basic ${Buffer.from(`writer:${testPassword}`).toString('base64')}`
const requests = 1_000_000

/** How single answers hold up: a large page after each change, 304 beside 200, the slowest answers, and memory. */
export async function measureAnswers(): Promise<Row[]> {
  await using temp = await tempDir()
  await fillStorage(temp.join('packages'), 100, 10)
  await fillStorage(temp.join('packages'), 1, 100, 'middle')
  await fillStorage(temp.join('packages'), 1, 1000, 'large')
  await fillStorage(temp.join('packages'), 1, 10_000, 'huge')
  await (await liveServer(temp.path, {'pypi.default_read': 'everyone'}))[Symbol.asyncDispose]() // writes the config
  await runTool('rebuild-cache', [temp.join('server.ini'), '--quiet'])
  const rows: Row[] = []
  {
    await using server = await startServer(temp.join('server.ini'), await freePort())
    rows.push(...(await measureLargePages(server)))
  }
  await using server = await startServer(temp.join('server.ini'), await freePort(), ['--workers', '2'])
  for (const [project, files] of [
    ['bench-0001', 10],
    ['middle-0000', 100],
    ['large-0000', 1000],
  ] as const)
    rows.push(await measureUnchanged(`${server.url}/simple/${project}/`, files))
  rows.push(await measureSlowest(`${server.url}/simple/bench-0001/`))
  rows.push(await measureMemory(server))
  return rows
}

/** Beside bare processes that send as many bytes, or 304, in the same rounds. */
async function measureUnchanged(url: string, files: number): Promise<Row> {
  const answer = await fetch(url, {headers: {authorization}})
  const etag = answer.headers.get('etag') ?? ''
  const {byteLength} = await (
    await fetch(url, {headers: {authorization, 'accept-encoding': 'identity'}})
  ).arrayBuffer()
  await using bare = await bareServer(byteLength, 2)
  const [whole, unchanged]: [number[], number[]] = [[], []]
  const [bareWhole, bareUnchanged]: [number[], number[]] = [[], []]
  for (let round = 0; round < 3; round += 1) {
    whole.push(await wrk(url, 32, {Authorization: authorization}))
    bareWhole.push(await wrk(bare.url, 32, {Authorization: authorization}))
    unchanged.push(await wrk(url, 32, {Authorization: authorization, 'If-None-Match': etag}))
    bareUnchanged.push(await wrk(bare.url, 32, {Authorization: authorization, 'If-None-Match': etag}))
  }
  const bareRatio = median(bareUnchanged) / median(bareWhole)
  return {
    work: `304 for a page of ${number(files)} files, 32 connections`,
    measured: `${number(median(unchanged))}/s`,
    floor: `200 ${number(median(whole))}/s; bare node:http ${number(median(bareUnchanged))}/s, ${number(bareRatio)} ×`,
    ratio: number(median(unchanged) / median(whole)),
    target: '≥ 1.5 × 200',
  }
}

async function measureSlowest(url: string): Promise<Row> {
  const args = ['-t2', '-c64', '-d10s', '--latency', '-H', `Authorization: ${authorization}`, url]
  const {stdout} = await run(program('wrk'), args)
  const at = (percent: number): number => {
    const [, value = '', unit = ''] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? []
    return Number(value) * ({us: 0.001, ms: 1, s: 1000}[unit] ?? Number.NaN)
  }
  return {
    work: 'p99 of a page of 10 files under 64 connections',
    measured: `${number(at(99))} ms`,
    floor: `median ${number(at(50))} ms`,
    ratio: number(at(99) / at(50)),
    target: '< 5 × median',
  }
}

async function measureMemory(server: LiveServer): Promise<Row> {
  const url = `${server.url}/simple/bench-0002/`
  let done = 0
  let early = 0
  while (done < requests) {
    done += 4 * (await wrk(url, 32, {Authorization: authorization})) // 4 seconds each
    if (early === 0) early = await residentMegabytes(server)
  }
  const late = await residentMegabytes(server)
  return {
    work: `memory of 2 workers after ${number(done)} requests`,
    measured: `${number(late)} MB`,
    floor: `after the first round ${number(early)} MB`,
    ratio: number(late / early),
    target: 'no growth',
  }
}

/** Of the first process and its workers. */
async function residentMegabytes({process: {pid}}: LiveServer): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(/\s+/)
  let total = 0
  for (const id of [String(pid), ...children.filter(Boolean)])
    total += Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0)
  return total / 1024
}
