import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {connect, type Socket} from 'node:net'
import {dirname, join} from 'node:path'
import {freePort} from '../test/support/free-port.js'
import {testPassword} from '../test/support/live-server.js'
import {findProgram} from '../test/support/needs.js'
import {makeOriginalConfig, originalAdminPassword} from '../test/support/original.js'
import {tempDir} from '../test/support/temp.js'
import {untilServed} from '../test/support/until-served.js'
import {buildWheel} from '../test/support/wheels.js'
import {number, timed, type Row} from './report.js'

const boundary = 'bench7f3a'
/** Wheels in each measurement, and before the first and the second one: V8 compiles for a few thousand uploads. */
const counted = 500
const [few, many] = [300, 3000]
/** Uploads a second, by uWSGI with 20 processes on this class of machine when nothing else ran. */
const originalOnce = 80

/** The server at `url`, which has two workers, beside the original, which is measured in the same run where uWSGI is beside it. */
export async function measureSmallUploads(url: string): Promise<Row[]> {
  const forms = await smallForms()
  const login = `writer:${testPassword}`
  await postAll(url, login, forms.slice(0, few))
  const early = await uploadsPerSecond(url, login, forms.slice(few, few + counted))
  await postAll(url, login, forms.slice(few + counted, many))
  const late = await uploadsPerSecond(url, login, forms.slice(many))
  const original = await originalUploads(forms)
  const floor = original?.rate ?? originalOnce
  const row = (work: string, {rate, refused}: Measured): Row => ({
    work,
    measured: `${number(rate)}/s, ${refused} refused`,
    floor: original
      ? `the original (20 processes), same run ${number(floor)}/s`
      : `the original ${number(floor)}/s`,
    ratio: number(rate / floor),
    target: '≥ 5, none refused',
  })
  return [
    row('upload of 500 small wheels by 4 clients, Basic, 2 workers that have just started', early),
    row('the same, after 3,000 others', late),
  ]
}

interface Measured {
  readonly rate: number
  readonly refused: number
}

async function uploadsPerSecond(...posts: Parameters<typeof postAll>): Promise<Measured> {
  let refused = 0
  const seconds = await timed(async () => {
    refused = await postAll(...posts)
  })
  return {rate: counted / seconds, refused}
}

/** By 4 clients. @param keepAlive false where the server closes connections without a word. @returns how many were refused. */
async function postAll(url: string, login: string, forms: readonly Buffer[], keepAlive = true) {
  const requests = forms.map(form => requestOf(url, login, form))
  const open = () => connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined) // it is closed, too
  let refused = 0
  const client = async () => {
    let socket = open()
    for (let request = requests.pop(); request; request = requests.pop()) {
      if (socket.destroyed) socket = open()
      if ((await statusOf(socket, request)) !== 200) refused += 1
      if (!keepAlive) socket.destroy()
    }
    socket.destroy()
  }
  await Promise.all(Array.from({length: 4}, client))
  return refused
}

/** Forms are made before the clock runs: what making them costs is none of the server's. */
const smallForms = () =>
  Promise.all(
    Array.from({length: many + counted}, async (_, index) => {
      const [name, version] = [`small-${index % 40}`, `1.${index}`]
      const {filename, bytes} = await buildWheel({name, version})
      const parts = Object.entries({':action': 'file_upload', name, version}).map(
        ([field, value]) =>
          `--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
      )
      const head = `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="${filename}"\r\n\r\n`
      return Buffer.concat([
        Buffer.from(parts.join('') + head),
        bytes,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ])
    }),
  )

function requestOf(url: string, login: string, form: Buffer): Buffer {
  const headers = [
    'POST /simple/ HTTP/1.1',
    `Host: ${new URL(url).host}`,
    `Authorization: Basic ${Buffer.from(login).toString('base64')}`,
    `Content-Type: multipart/form-data; boundary=${boundary}`,
    `Content-Length: ${form.length}`,
  ]
  return Buffer.concat([Buffer.from(`${headers.join('\r\n')}\r\n\r\n`), form])
}

const answer = /^HTTP\/1\.1 (\d{3}) [^]*?\r\nContent-Length: (\d+)\r\n(?:[^]*?\r\n)?\r\n([^]*)$/i

/** Sends a request and reads the answer. Node's own client takes a sixth of what the server does, of the same cores. */
function statusOf(socket: Socket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    const broken = () => reject(new Error('the server closed the connection before its answer'))
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const [, status, length, body] = answer.exec(text) ?? []
      if (body === undefined || body.length < Number(length)) return
      socket.off('data', read).off('close', broken)
      resolve(Number(status))
    }
    socket.on('data', read).once('close', broken).write(request)
  })
}

/** As its own ppc-make-config deploys it: uWSGI with 20 processes, files and SQLite. Undefined where there is no uWSGI beside it. */
async function originalUploads(forms: readonly Buffer[]) {
  const pserve = findProgram('pypicloud')
  if (pserve === undefined) return undefined
  const environment = dirname(dirname(pserve))
  const uwsgi = join(environment, 'bin/uwsgi')
  if (!existsSync(uwsgi)) return undefined
  await using directory = await tempDir()
  const [file, port] = [directory.join('server.ini'), await freePort()]
  await makeOriginalConfig('-p', file)
  const text = (await readFile(file, 'utf8'))
    .replace('use = egg:pypicloud', 'use = egg:pypicloud\npypi.fallback = none')
    .replace(/^http = .*$/m, `http = 127.0.0.1:${port}`)
    .replaceAll('/var/log/', `${directory.path}/`)
  await writeFile(file, text)
  const child = spawn(uwsgi, ['--virtualenv', environment, file], {cwd: directory.path, stdio: 'ignore'})
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  try {
    await untilServed(child, `${url}/health`, {log: () => 'uWSGI did not start'})
    const login = `admin:${originalAdminPassword}`
    await postAll(url, login, forms.slice(0, few), false)
    return await uploadsPerSecond(url, login, forms.slice(few, few + counted), false)
  } finally {
    child.kill('SIGQUIT')
    await exited
  }
}
