import {openBackends} from '../src/lib/backends.js'
import {hashPassword, verifyPassword} from '../src/lib/access/passwords/index.js'
import {readConfig} from '../src/lib/config/config.js'
import {freePort} from '../test/support/free-port.js'
import {liveServer, startServer, testPassword, testPasswordHash} from '../test/support/live-server.js'
import {tempDir} from '../test/support/temp.js'
import {fillStorage} from './data.js'
import {wrk} from './pages.js'
import {median, number, timed, type Row} from './report.js'
import {runTool} from './tools.js'

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
const guessers = 16
const seconds = 8

/** What logging in costs, and what it costs others. */
export async function measureLogins(): Promise<Row[]> {
  await using temp = await tempDir()
  await fillStorage(temp.join('packages'), 100, 10)
  const settings = {
    'pypi.auth': 'sql',
    'auth.db.url': 'sqlite:///%(here)s/access.db',
    'pypi.default_read': 'everyone',
  }
  await (await liveServer(temp.path, settings))[Symbol.asyncDispose]() // writes the config
  await runTool('rebuild-cache', [temp.join('server.ini'), '--quiet'])
  {
    await using backends = await openBackends(await readConfig(temp.join('server.ini')), ['access'])
    const account = {username: 'reader', passwordHash: testPasswordHash, admin: false, pending: false}
    await backends.access.writer?.addAccount(account)
  }
  await using server = await startServer(temp.join('server.ini'), await freePort())
  return [await measureReading(server.url), await measureHash(), await measureHealth(server.url)]
}

async function measureReading(url: string): Promise<Row> {
  const page = `${url}/simple/bench-0001/`
  const authenticated: number[] = []
  const anonymous: number[] = []
  for (let round = 0; round < 3; round += 1) {
    anonymous.push(await wrk(page, 32, {}))
    authenticated.push(await wrk(page, 32, {Authorization: basic('reader', testPassword)}))
  }
  return {
    work: '`/simple/<project>/`, Basic, access in SQLite',
    measured: `${number(median(authenticated))}/s`,
    floor: `anonymous ${number(median(anonymous))}/s`,
    ratio: number(median(anonymous) / median(authenticated)),
    target: '≤ 1.5',
  }
}

async function measureHash(): Promise<Row> {
  const hash = await hashPassword(testPassword)
  await verifyPassword(testPassword, hash) // starts the thread
  const times: number[] = []
  for (let round = 0; round < 20; round += 1)
    times.push(await timed(() => verifyPassword(testPassword, hash)))
  return {
    work: 'sha512_crypt, 20,500 rounds, in a thread of the pool',
    measured: `${number(median(times) * 1000)} ms`,
    floor: '',
    ratio: '',
    target: '≤ 30 ms',
  }
}

/** Each guess is for another user, so that nothing but the hashes slows them down. */
async function measureHealth(url: string): Promise<Row> {
  let ended = false
  let guesses = 0
  const guess = async (): Promise<void> => {
    while (!ended) {
      const authorization = basic(`user-${guesses++}`, 'wrong')
      const answer = await fetch(`${url}/admin/user`, {headers: {authorization}})
      await answer.arrayBuffer()
      if (answer.status !== 401) throw new Error(`a guess was answered ${answer.status}`)
    }
  }
  const guessing = Promise.all(Array.from({length: guessers}, guess))
  const times: number[] = []
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    times.push(await timed(async () => (await fetch(`${url}/health`)).arrayBuffer()))
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  ended = true
  await guessing
  times.sort((a, b) => a - b)
  return {
    work: `p99 of \`/health\` while ${guessers} clients log in with wrong passwords`,
    measured: `${number((times[Math.floor(times.length * 0.99)] ?? 0) * 1000)} ms`,
    floor: `median ${number(median(times) * 1000)} ms, ${number(guesses / seconds)} log-ins/s`,
    ratio: '',
    target: '< 20 ms',
  }
}
