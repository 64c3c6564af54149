import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {connect, type Socket} from 'node:net'
import {dirname, join} from 'node:path'
import {freePort, testPassword} from '../test/support/live-server.js'
import {findProgram} from '../test/support/needs.js'
import {makeOriginalConfig, originalAdminPassword} from '../test/support/original.js'
import {tempDir} from '../test/support/temp.js'
import {untilServed} from '../test/support/until-served.js'
import {buildWheel} from '../test/support/wheels.js'
import {number, timed, type Row} from './report.js'

const boundary = 'bench7f3a'
/** Wheels. A server is seldom new: some are uploaded before the clock runs. */
const [before, counted] = [300, 500]
/** Uploads a second, by uWSGI with 20 processes on this class of machine when nothing else ran. */
const originalOnce = 80

/** The server at `url` beside the original, which is measured in the same run where uWSGI is beside it. */
export async function measureSmallUploads(url: string): Promise<Row> {
  const forms = await smallForms()
  const ours = await uploadsPerSecond(url, `writer:${testPassword}`, forms)
  const original = await originalUploads(forms)
  const floor = original?.rate ?? originalOnce
  return {
    work: 'upload of 500 small wheels by 4 clients, Basic',
    measured: `${number(ours.rate)}/s, ${ours.refused} refused`,
    floor: original
      ? `the original (20 processes), same run ${number(floor)}/s`
      : `the original ${number(floor)}/s`,
    ratio: number(ours.rate / floor),
    target: '≥ 5, none refused',
  }
}

/** By 4 clients. @param keepAlive false where the server closes connections without a word. */
async function uploadsPerSecond(url: string, login: string, forms: readonly Buffer[], keepAlive = true) {
  const requests = forms.map(form => requestOf(url, login, form))
  const open = () => connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined) // it is closed, too
  let refused = 0
  const postAll = async (some: Buffer[]) => {
    const client = async () => {
      let socket = open()
      for (let request = some.pop(); request; request = some.pop()) {
        if (socket.destroyed) socket = open()
        if ((await statusOf(socket, request)) !== 200) refused += 1
        if (!keepAlive) socket.destroy()
      }
      socket.destroy()
    }
    await Promise.all(Array.from({length: 4}, client))
  }
  await postAll(requests.slice(0, before))
  refused = 0
  const seconds = await timed(() => postAll(requests.slice(before)))
  return {rate: counted / seconds, refused}
}

/** Forms are made before the clock runs: what making them costs is none of the server's. */
const smallForms = () =>
  Promise.all(
    Array.from({length: before + counted}, async (_, index) => {
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
    return await uploadsPerSecond(url, `admin:${originalAdminPassword}`, forms, false)
  } finally {
    child.kill('SIGQUIT')
    await exited
  }
}
