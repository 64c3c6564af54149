import {execFile} from 'node:child_process'
import {createHash, randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {mkdir, readFile} from 'node:fs/promises'
import {request} from 'node:http'
import {promisify} from 'node:util'
import {freePort} from '../test/support/free-port.js'
import {liveServer, startServer, testPassword} from '../test/support/live-server.js'
import {tempDir} from '../test/support/temp.js'
import {nginx, wrk} from './pages.js'
import {median, number, timed, type Row} from './report.js'
import {measureSmallUploads} from './small-uploads.js'

const run = promisify(execFile)
const authorization = `Basic ${Buffer.from(`writer:${testPassword}`).toString('base64')}`
const megabyte = 1024 * 1024

const resident = async (pid: number, field = 'VmRSS'): Promise<number> =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) /
  1024

/** Uploads a file whose bytes are made on the way, as multipart, and returns the status. */
async function upload(
  url: string,
  filename: string,
  fields: Record<string, string>,
  chunks: Iterable<Buffer>,
): Promise<number> {
  const boundary = 'bench7f3a'
  const outgoing = request(`${url}/simple/`, {
    method: 'POST',
    headers: {authorization, 'content-type': `multipart/form-data; boundary=${boundary}`},
  })
  const answered = once(outgoing, 'response')
  for (const [name, value] of Object.entries(fields)) {
    outgoing.write(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  }
  outgoing.write(
    `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="${filename}"\r\n\r\n`,
  )
  for (const chunk of chunks) if (!outgoing.write(chunk)) await once(outgoing, 'drain')
  outgoing.end(`\r\n--${boundary}--\r\n`)
  const [response] = (await answered) as [import('node:http').IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response.statusCode ?? 0
}

function* repeated(block: Buffer, times: number): Generator<Buffer> {
  for (let index = 0; index < times; index += 1) yield block
}

/** Downloads to nowhere and returns the bytes. */
async function download(url: string): Promise<number> {
  const outgoing = request(url, {headers: {authorization}}).end()
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
  let bytes = 0
  response.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await once(response, 'end')
  if (response.statusCode !== 200) throw new Error(`${url}: ${String(response.statusCode)}`)
  return bytes
}

/** One upload and download of 1 GB (an egg: no archive of that size has to be built), and many small ones. */
export async function measureTransfers(): Promise<Row[]> {
  await using temp = await tempDir()
  await (await liveServer(temp.path))[Symbol.asyncDispose]() // writes the config
  await using server = await startServer(temp.join('server.ini'), await freePort())
  const pid = server.process.pid ?? 0
  const rows: Row[] = []

  const block = randomBytes(megabyte)
  const sizeMegabytes = 1024
  const sha256 = createHash('sha256')
  for (const chunk of repeated(block, sizeMegabytes)) sha256.update(chunk)
  const fields = {
    ':action': 'file_upload',
    name: 'bench-big',
    version: '1.0',
    sha256_digest: sha256.digest('hex'),
  }
  const idle = await resident(pid)
  const up = await timed(async () => {
    const status = await upload(server.url, 'bench-big-1.0.tar.bz2', fields, repeated(block, sizeMegabytes))
    if (status !== 200) throw new Error(`the upload was answered ${status}`)
  })
  const copy = await timed(() =>
    run('sh', [
      '-c',
      `dd if=/dev/zero bs=1M count=${sizeMegabytes} of=${temp.join('floor')} conv=fsync 2>/dev/null && sha256sum ${temp.join('floor')}`,
    ]),
  )
  const afterUpload = await resident(pid, 'VmHWM')
  rows.push({
    work: 'upload of one 1 GB file',
    measured: `${number(sizeMegabytes / up)} MB/s`,
    floor: `write, sync and sha256sum ${number(sizeMegabytes / copy)} MB/s`,
    ratio: `${number(afterUpload - idle)} MB over idle`,
    target: '≥ 3 × the original (76 MB/s), < 100 MB over idle',
  })
  const down = await timed(async () => {
    const bytes = await download(`${server.url}/api/package/bench-big/bench-big-1.0.tar.bz2`)
    if (bytes !== sizeMegabytes * megabyte) throw new Error(`${bytes} bytes came back`)
  })
  rows.push({
    work: 'download of it',
    measured: `${number(sizeMegabytes / down)} MB/s`,
    floor: '',
    ratio: `${number((await resident(pid, 'VmHWM')) - idle)} MB over idle`,
    target: '< 100 MB over idle',
  })

  await using workers = await startServer(temp.join('server.ini'), await freePort(), ['--workers', '2'])
  rows.push(...(await measureSmallUploads(workers.url)))

  const twenty = Buffer.concat([...repeated(block, 20)])
  const filename = 'bench-mid-1.0.tar.bz2'
  await upload(server.url, filename, {':action': 'file_upload', name: 'bench-mid', version: '1.0'}, [twenty])
  await mkdir(temp.join('nginx'))
  await using files = await nginx(temp.join('nginx'), new Map([['twenty', twenty]]))
  const rates: number[] = []
  const floor: number[] = []
  for (let round = 0; round < 3; round += 1) {
    floor.push(20 * (await wrk(`${files.url}/twenty/`, 8, {})))
    rates.push(
      20 * (await wrk(`${workers.url}/api/package/bench-mid/${filename}`, 8, {Authorization: authorization})),
    )
  }
  rows.push({
    work: 'download of 20 MB by 8 clients, 2 workers',
    measured: `${number(median(rates))} MB/s`,
    floor: `nginx, 2 workers too ${number(median(floor))} MB/s`,
    ratio: number(median(rates) / median(floor)),
    target: '≥ 0.6 × nginx',
  })
  return rows
}
