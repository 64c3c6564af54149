import {readFile} from 'node:fs/promises'
import {testPassword, type LiveServer} from '../test/support/live-server.js'
import {buildWheel} from '../test/support/wheels.js'
import {bareServer} from './bare-server.js'
import {CountingClient} from './counting-client.js'
import {median, number, timed, type Row} from './report.js'

const authorization = `Basic ${Buffer.from(`admin:${testPassword}`).toString('base64')}`
const headers = {authorization, accept: 'application/vnd.pypi.simple.v1+json', 'accept-encoding': 'identity'}
const project = 'huge-0000'
const rounds = 20

/**
 * The page of a project of 10,000 files after changes of several kinds, and unchanged beside a bare server that sends as many
 * bytes, in turns. By one process. Processor time is that of the server's own thread, which other work on the
 * machine does not lengthen.
 */
export async function measureLargePages(server: LiveServer): Promise<Row[]> {
  const url = `${server.url}/simple/${project}/`
  using client = await CountingClient.open(url, headers)
  await client.get()
  await new Promise(resolve => setTimeout(resolve, 20_000)) // sizes are completed behind the first answer
  const {byteLength} = await (await fetch(url, {headers})).arrayBuffer()
  await using bare = await bareServer(byteLength)
  using bareClient = await CountingClient.open(bare.url, {})
  const [unchanged, floor]: [number[], number[]] = [[], []]

  const after = async (name: string, change: (round: number) => Promise<Response>): Promise<Row> => {
    const [taken, processor]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      const answer = await change(round)
      if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
      const before = await processorSeconds(server)
      taken.push(await timed(() => client.get()))
      processor.push((await processorSeconds(server)) - before)
      unchanged.push(await timed(() => client.get()))
      floor.push(await timed(() => bareClient.get()))
    }
    return {
      work: `a page of 10,000 files (JSON, 3 MB) after ${name}`,
      measured: milliseconds(taken),
      floor: `${milliseconds(processor)} of CPU`,
      ratio: '',
      target: '< 50 ms',
    }
  }
  const api = (method: string, path: string) =>
    fetch(`${server.url}/api/${path}`, {method, headers: {authorization}})
  return [
    await after('a yank', round => api('PUT', `project/${project}/yanked/1.${round}`)),
    await after('an upload', round => upload(server, `2.${round}`)),
    await after('a deletion', round =>
      api('DELETE', `package/${project}/huge_0000-1.${100 + round}-py3-none-any.whl`),
    ),
    {
      work: 'the same, unchanged',
      measured: milliseconds(unchanged),
      floor: `bare node:http ${milliseconds(floor)}`,
      ratio: number(median(unchanged) / median(floor)),
      target: '< 5 ms',
    },
  ]
}

const milliseconds = (seconds: readonly number[]): string => `${number(median(seconds) * 1000)} ms`

async function processorSeconds({process: {pid}}: LiveServer): Promise<number> {
  const [nanoseconds] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')
  return Number(nanoseconds) / 1e9
}

async function upload(server: LiveServer, version: string): Promise<Response> {
  const wheel = await buildWheel({name: project, version})
  const body = new FormData()
  body.set(':action', 'file_upload')
  body.set('content', new Blob([new Uint8Array(wheel.bytes)]), wheel.filename)
  return fetch(`${server.url}/simple/`, {method: 'POST', headers: {authorization}, body})
}
