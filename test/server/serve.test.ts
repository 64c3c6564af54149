import assert from 'node:assert/strict'
import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {createServer, request as httpRequest} from 'node:http'
import {connect, type AddressInfo} from 'node:net'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {describe, it} from 'node:test'
import {fileURLToPath} from 'node:url'
import {buildWheel} from '../support/wheels.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {copyPypicloudState} from './installation.js'
import {uploadForm} from './upload-form.js'

const childFile = join(dirname(fileURLToPath(import.meta.url)), 'serve-child.js')
const settings = {
  use: 'egg:pypicloud',
  'pypi.fallback': 'none',
  'pypi.default_read': 'everyone',
  'pypi.default_write': 'everyone',
  'storage.dir': '%(here)s/packages',
  'db.url': 'sqlite:///%(here)s/cache.db',
  'pypi.auth': 'config',
}
const iniOf = (values: Record<string, string>, extra = ''): string =>
  `[app:main]\n${Object.entries(values)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('')}${extra}`

interface Child extends AsyncDisposable {
  readonly process: ChildProcess
  /** The first line of stdout. */
  readonly line: string
  readonly stderr: () => string
  readonly exit: Promise<[number | null, NodeJS.Signals | null]>
}

async function start(config: string, workers = 1, grace = 60): Promise<Child> {
  const child = spawn(process.execPath, [childFile, config, String(workers), String(grace)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exit.then(code => [`exited with ${String(code)}: ${stderr}`]),
  ])) as [string]
  return {
    process: child,
    line,
    stderr: () => stderr,
    exit,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exit
    },
  }
}

/** Starts an upload, which the server is at when this resolves, and stops in its middle; `finish` sends the rest. */
async function slowUpload(url: string) {
  const wheel = await buildWheel({name: 'slow', version: '1.0', files: {'slow/data.bin': 300_000}})
  const form = uploadForm(wheel, {name: 'slow', version: '1.0'})
  const request = httpRequest(`${url}/simple/`, {
    method: 'POST',
    headers: {...form.headers, 'content-length': form.payload.length, expect: '100-continue'},
  })
  const answered = once(request, 'response') as Promise<[{statusCode: number; resume(): void}]>
  answered.catch(() => undefined)
  request.flushHeaders()
  await once(request, 'continue')
  request.write(form.payload.subarray(0, 100_000))
  return {
    answered,
    finish: async () => {
      request.end(form.payload.subarray(100_000))
      const [response] = await answered
      response.resume()
      return response.statusCode
    },
  }
}

/** Until the server has noticed the signal. A connection of that very moment may be accepted and get no answer. */
const untilItIsClosed = (url: string) =>
  waitFor('new connections are refused', () =>
    fetch(`${url}/livez`, {signal: AbortSignal.timeout(1000)}).then(
      answer => answer.text().then(() => false),
      (error: unknown) => !(error instanceof DOMException), // which would be the timeout
    ),
  )

describe('serve', () => {
  for (const workers of [1, 2]) {
    it(`with ${workers} workers ends a running upload before it ends itself`, async () => {
      await using dir = await tempDir()
      await writeFile(dir.join('server.ini'), iniOf(settings))
      await using child = await start(dir.join('server.ini'), workers)
      assert.match(child.line, /^http:\/\/127\.0\.0\.1:\d+$/)
      const idle = connect(Number(new URL(child.line).port), '127.0.0.1') // has sent nothing yet
      idle.on('error', () => undefined)
      await once(idle, 'connect')
      const upload = await slowUpload(child.line)
      child.process.kill('SIGTERM')
      await untilItIsClosed(child.line)
      assert.equal(child.process.exitCode, null, 'did not wait')
      assert.equal(await upload.finish(), 200)
      assert.deepEqual(await child.exit, [0, null])
      assert.ok((await readdir(dir.join('packages/slow/1.0'))).includes('slow-1.0-py3-none-any.whl'))
      const names = await readdir(dir.path, {recursive: true})
      assert.ok(!names.some(name => /ppc-upload|-wal$|-shm$/.test(name)), names.join())
    })
  }
  it('cuts what does not end within the limit, and leaves nothing of it', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), iniOf(settings))
    await using child = await start(dir.join('server.ini'), 1, 1)
    const upload = await slowUpload(child.line)
    child.process.kill('SIGTERM')
    await assert.rejects(upload.answered)
    assert.deepEqual(await child.exit, [0, null])
    const names = await readdir(dir.path, {recursive: true})
    assert.ok(!names.some(name => /ppc-upload|slow/.test(name)), names.join())
  })
  it('ends at once at the second signal', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), iniOf(settings))
    await using child = await start(dir.join('server.ini'), 1, 60)
    const upload = await slowUpload(child.line)
    child.process.kill('SIGINT')
    await untilItIsClosed(child.line)
    child.process.kill('SIGINT')
    assert.deepEqual(await child.exit, [130, null])
    await assert.rejects(upload.answered)
  })
  it('fills the cache of a first start from the storage, in the background', async () => {
    await using dir = await tempDir()
    await copyPypicloudState(dir.path)
    await writeFile(dir.join('server.ini'), iniOf({...settings, 'db.url': 'sqlite:///%(here)s/new.db'}))
    await using child = await start(dir.join('server.ini'), 2)
    const names = await waitFor('six names', async () => {
      const answer = await fetch(`${child.line}/api/package/`)
      if (answer.status === 503) return false // a part is no list
      const {packages} = (await answer.json()) as {packages: string[]}
      return packages.length >= 6 && packages
    })
    assert.deepEqual(names, ['adminonly', 'eggy', 'foo-bar-baz', 'open-lib', 'private-tool', 'secret-lib'])
  })
  it('starts a dead worker again', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), iniOf(settings))
    await using child = await start(dir.join('server.ini'), 2)
    const first = await workersOf(child.process.pid ?? 0)
    assert.equal(first.length, 2)
    process.kill(first[0] ?? 0, 'SIGKILL')
    await waitFor('two workers, none of them the dead one', async () => {
      const workers = await workersOf(child.process.pid ?? 0)
      return workers.length === 2 && !workers.includes(first[0] ?? 0)
    })
    await waitFor('the log says so', () => child.stderr().includes('a worker died'))
    assert.equal((await fetch(`${child.line}/health`)).status, 200)
  })
  it('says that a port is taken', async () => {
    await using dir = await tempDir()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const {port} = other.address() as AddressInfo
    const {serve} = await import('../../src/lib/server/serve.js')
    const {readConfig} = await import('../../src/lib/config/config.js')
    await writeFile(dir.join('server.ini'), iniOf(settings))
    const config = await readConfig(dir.join('server.ini'), {environment: {}})
    await assert.rejects(serve(config, {port, signals: false}), {
      code: 'PPC_LISTEN_FAILED',
      message: new RegExp(String(port)),
    })
    other.close()
  })
  it('refuses a database in memory for several workers', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), iniOf({...settings, 'db.url': 'sqlite://'}))
    await using child = await start(dir.join('server.ini'), 2)
    assert.match(child.line, /^PPC_USAGE .*db\.url/)
  })
  it('says that a disk cache is not needed for a directory', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), iniOf({...settings, 'storage.disk_cache.dir': dir.join('cache')}))
    await using child = await start(dir.join('server.ini'))
    child.process.kill('SIGTERM')
    await child.exit
    assert.match(child.stderr(), /storage\.disk_cache\.dir: nothing is kept there/)
  })
  it('never logs a secret', async () => {
    await using dir = await tempDir()
    const logging = `[loggers]\nkeys = root\n[handlers]\nkeys = file\n[formatters]\nkeys = generic\n[logger_root]\nlevel = DEBUG\nhandlers = file\n[handler_file]\nclass = FileHandler\nargs = ('${dir.join('server.log')}',)\n[formatter_generic]\nformat = %%(message)s\n`
    await writeFile(dir.join('server.ini'), iniOf(settings, logging))
    await using child = await start(dir.join('server.ini'))
    const authorization = `Basic ${Buffer.from('ann:s3cret-word').toString('base64')}`
    for (const path of [
      '/simple/',
      '/simple/?password=s3cret-word',
      '/acct/login?token=s3cret-word',
      '/%00',
      '/nope/nope',
    ]) {
      await fetch(child.line + path, {headers: {authorization}})
    }
    await fetch(`${child.line}/api/user/ann`, {
      method: 'PUT',
      body: JSON.stringify({password: 's3cret-word'}),
      headers: {'content-type': 'application/json'},
    })
    child.process.kill('SIGTERM')
    await child.exit
    const log = (await readFile(dir.join('server.log'), 'utf8').catch(() => '')) + child.stderr()
    assert.match(log, /"path":"\/simple\/"/)
    assert.doesNotMatch(log, /s3cret-word|YW5uOnMzY3JldC13b3Jk/)
  })
})

async function workersOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').map(Number).filter(Boolean)
}
