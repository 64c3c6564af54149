import assert from 'node:assert/strict'
import {once} from 'node:events'
import {readdir, readFile} from 'node:fs/promises'
import {connect} from 'node:net'
import {describe, it} from 'node:test'
import {childrenOf, signalAll} from '../services/signal.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {openSettings, startChild, writeIni, type ChildServer} from './child-server.js'
import {basic} from './installation.js'

/** A connection that is asked one thing at a time. */
interface Connection {
  send(method: string, path: string, headers?: Readonly<Record<string, string>>): void
  /** The status of the last answer, or that there will be none; nothing as long as neither has come. */
  outcome(): number | 'closed' | undefined
  end(): void
}

async function connected({url}: ChildServer): Promise<Connection> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let outcome: number | 'closed' | undefined
  socket.setEncoding('utf8')
  socket.on('error', () => undefined) // a reset is an end as well
  socket.on('data', (part: string) => {
    const status = /^HTTP\/1\.1 (\d+)/.exec(part)?.[1]
    if (status !== undefined) outcome = Number(status)
  })
  socket.on('close', () => (outcome ??= 'closed'))
  await once(socket, 'connect')
  return {
    send(method, path, headers = {}) {
      outcome = undefined
      const lines = Object.entries({host: 'here', ...headers}).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
    },
    outcome: () => outcome,
    end: () => socket.destroy(),
  }
}

/** So many new connections, each of which asks at once; fewer where some are refused. */
async function ask(server: ChildServer, times: number): Promise<Connection[]> {
  const tries = await Promise.allSettled(Array.from({length: times}, () => connected(server)))
  const connections = tries.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  for (const connection of connections) connection.send('GET', '/livez')
  return connections
}

const outcomesOf = (connections: readonly Connection[]) => connections.map(({outcome}) => outcome())

/** The server does not end before it has. */
async function unfinishedUpload(server: ChildServer): Promise<Connection> {
  const connection = await connected(server)
  connection.send('POST', '/simple/', {
    authorization: basic('ann', testPassword),
    'content-type': 'multipart/form-data; boundary=x',
    'content-length': '10000',
    expect: '100-continue',
  })
  await waitFor('the server is at it', () => connection.outcome() === 100)
  return connection
}

interface Server extends AsyncDisposable {
  readonly server: ChildServer
  readonly pid: number
  readonly workers: readonly [number, number]
}

async function twoWorkers(directory: string): Promise<Server> {
  const file = `${directory}/server.ini`
  await writeIni(file, {...openSettings, 'user.ann': testPasswordHash})
  const server = await startChild(file, 2)
  const pid = server.process.pid ?? 0
  const [first = 0, second = 0] = await childrenOf(pid)
  return {server, pid, workers: [first, second], [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]()}
}

/** Until nothing is left of it but that its parent has not noticed. */
async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await waitFor('it is dead', async () => {
    const threads = await readdir(`/proc/${pid}/task`)
    return threads.length === 1 && / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))
  })
}

describe('a server with workers that die', () => {
  it('closes a connection that the dead one had been given and had not taken', async () => {
    await using dir = await tempDir()
    await using running = await twoWorkers(dir.path)
    const {server, workers} = running
    await signalAll(workers[0], 'SIGSTOP')
    const asked = await ask(server, 6)
    await waitFor('one waits for the stopped worker', () => {
      return outcomesOf(asked).filter(outcome => outcome === 200).length === 5
    })
    process.kill(workers[0], 'SIGKILL')
    await waitFor('that one is closed', () => outcomesOf(asked).includes('closed'))
    for (const connection of asked) connection.end()
  })
  it('leaves no connection open that comes while it ends', async () => {
    await using dir = await tempDir()
    await using running = await twoWorkers(dir.path)
    const {server} = running
    const upload = await unfinishedUpload(server)
    const asked = await ask(server, 20)
    server.process.kill('SIGTERM')
    for (;;) {
      const more = await ask(server, 20)
      asked.push(...more)
      if (more.length < 20) break
    }
    await waitFor('each is answered or closed', () => !outcomesOf(asked).includes(undefined))
    assert.equal(server.process.exitCode, null, 'the upload is still awaited')
    upload.end()
    await server.exit
  })
  it('goes on when a worker has something to tell the dead one', async () => {
    await using dir = await tempDir()
    await using running = await twoWorkers(dir.path)
    const {server, pid, workers} = running
    const asked = await ask(server, 1)
    const {pid: teller} = await server.logged('request')
    process.kill(pid, 'SIGSTOP') // so that it reads what it was told when the other is dead, before it knows of that
    for (const connection of asked) connection.send('GET', '/simple/', {authorization: basic('ann', 'wrong')})
    await waitFor('the password was wrong', () => outcomesOf(asked).every(outcome => outcome === 200))
    for (const worker of workers) if (worker !== teller) await kill(worker)
    process.kill(pid, 'SIGCONT')
    await server.logged('a worker died: it is started again')
    assert.equal((await fetch(`${server.url}/livez`)).status, 200)
    for (const connection of asked) connection.end()
  })
  it('keeps connections that come while every worker is dead for the next one', async () => {
    await using dir = await tempDir()
    await using running = await twoWorkers(dir.path)
    const {server, workers} = running
    for (const round of [workers, undefined]) {
      for (const worker of round ?? (await childrenOf(running.pid))) process.kill(worker, 'SIGKILL')
      await server.logged('no worker is left: connections wait for the next one')
      const asked = await ask(server, 20)
      assert.equal(asked.length, 20)
      await waitFor('each is answered', () => outcomesOf(asked).every(outcome => outcome === 200))
      for (const connection of asked) connection.end()
      assert.equal((await fetch(`${server.url}/livez`)).status, 200)
      await waitFor('there are two again', async () => (await childrenOf(running.pid)).length === 2)
    }
  })
  it('lets connections go that wait for a worker when it ends', async () => {
    await using dir = await tempDir()
    await using running = await twoWorkers(dir.path)
    const {server, workers} = running
    for (const worker of workers) process.kill(worker, 'SIGKILL')
    await server.logged('no worker is left: connections wait for the next one')
    const asked = await ask(server, 5)
    server.process.kill('SIGTERM')
    await waitFor('it has ended', () => server.process.exitCode === 0)
    await waitFor('each is answered or closed', () => !outcomesOf(asked).includes(undefined))
  })
  it('ends also while a worker is being started again', async () => {
    await using dir = await tempDir()
    await using running = await twoWorkers(dir.path)
    const {server, pid, workers} = running
    process.kill(workers[0], 'SIGKILL')
    await waitFor('there is another one', async () => {
      return (await childrenOf(pid)).some(child => !workers.includes(child))
    })
    server.process.kill('SIGTERM')
    await waitFor('it has ended', () => server.process.exitCode === 0)
  })
})
