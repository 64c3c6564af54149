import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {freePort} from '../test/support/free-port.js'
import {liveServer, startServer, testPassword} from '../test/support/live-server.js'
import {program} from '../test/support/needs.js'
import {tempDir} from '../test/support/temp.js'
import {runTool} from './tools.js'
import {bareServer} from './bare-server.js'
import {fillStorage} from './data.js'
import {median, number, type Row} from './report.js'

const run = promisify(execFile)
const authorization = `Basic ${Buffer.from(`reader:${testPassword}`).toString('base64')}`

/** Requests a second by wrk with `connections` on as many threads as there are workers. */
export async function wrk(
  url: string,
  connections: number,
  headers: Record<string, string>,
): Promise<number> {
  const flags = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const {stdout} = await run(program('wrk'), ['-t2', `-c${connections}`, '-d4s', ...flags, url])
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk saw errors at ${url}:\n${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

/** nginx serving the very pages of our server as files. */
export async function nginx(directory: string, pages: ReadonlyMap<string, Buffer>) {
  const port = await freePort()
  for (const [path, bytes] of pages) {
    await mkdir(join(directory, 'html', path), {recursive: true})
    await writeFile(join(directory, 'html', path, 'index.html'), bytes)
  }
  await writeFile(
    join(directory, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 2; daemon off; pid ${directory}/nginx.pid; error_log ${directory}/error.log;
     events { worker_connections 512; }
     http { access_log off; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p; fastcgi_temp_path ${directory}/f;
       uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
       server { listen 127.0.0.1:${port}; root ${directory}/html; } }`,
  )
  const child = spawn(program('nginx'), ['-p', directory, '-c', join(directory, 'nginx.conf')], {
    stdio: 'ignore',
  })
  await new Promise(resolve => setTimeout(resolve, 500))
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** `/simple/<project>/` and `/simple/` beside nginx serving the same bytes, three rounds in turn. */
export async function measurePages(): Promise<Row[]> {
  await using temp = await tempDir()
  await fillStorage(temp.join('packages'), 999, 10)
  await fillStorage(temp.join('packages'), 1, 1000, 'large')
  await (await liveServer(temp.path, {'pypi.default_read': 'everyone'}))[Symbol.asyncDispose]() // writes the config
  await runTool('rebuild-cache', [temp.join('server.ini'), '--quiet'])
  await using server = await startServer(temp.join('server.ini'), await freePort(), ['--workers', '2'])
  const cases = [
    {
      work: '`/simple/<project>/`, 10 files, 32 connections, Basic',
      path: '/simple/bench-0001/',
      connections: 32,
      auth: true,
      target: '≥ 0.4 × nginx',
    },
    {
      work: 'the same, anonymous',
      path: '/simple/bench-0001/',
      connections: 32,
      auth: false,
      target: '≥ 0.3 × nginx',
    },
    {
      work: '1,000 files, Basic',
      path: '/simple/large-0000/',
      connections: 32,
      auth: true,
      target: '≥ 200 × the original (30/s)',
    },
    {
      work: '`/simple/`, 1,000 projects, 8 connections, Basic',
      path: '/simple/',
      connections: 8,
      auth: true,
      target: '≥ 0.1 × nginx',
    },
  ]
  const pages = new Map<string, Buffer>()
  for (const {path} of cases) {
    const answer = await fetch(server.url + path, {headers: {authorization, accept: 'text/html'}})
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    pages.set(path, Buffer.from(await answer.arrayBuffer()))
  }
  await mkdir(temp.join('nginx'))
  await using files = await nginx(temp.join('nginx'), pages)
  await using node = await bareServer(pages.get('/simple/bench-0001/')?.length ?? 0)

  const rows: Row[] = []
  for (const one of cases) {
    const headers: Record<string, string> = one.auth ? {Authorization: authorization} : {}
    const ours: number[] = []
    const floor: number[] = []
    for (let round = 0; round < 3; round += 1) {
      floor.push(await wrk(files.url + one.path, one.connections, {}))
      ours.push(await wrk(server.url + one.path, one.connections, headers))
    }
    rows.push({
      work: one.work,
      measured: `${number(median(ours))}/s`,
      floor: `nginx ${number(median(floor))}/s`,
      ratio: number(median(ours) / median(floor)),
      target: one.target,
    })
  }
  rows.push({
    work: 'one bare `node:http` process, for scale',
    measured: `${number(await wrk(node.url, 32, {}))}/s`,
    floor: '',
    ratio: '',
    target: '',
  })
  return rows
}
