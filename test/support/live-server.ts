import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {freePort} from './free-port.js'
import {repoRoot} from './paths.js'
import {untilServed} from './until-served.js'

/** sha512_crypt of "correct horse" with 1,000 rounds. */
export const testPassword = 'correct horse'
export const testPasswordHash =
  '$6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11'

export interface LiveServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly url: string
  /** The same with the credentials of `user` in it. */
  urlFor(user: string): string
  readonly process: ChildProcess
  /** Everything it has written to stderr. */
  log(): string
}

/**
 * Starts `ppc-serve` as an operator does, on a fresh port, in `directory`: file storage, SQLite, access from the config.
 * Users `admin` (administrator), `writer` (writes every project without rules) and `reader` have `testPassword`.
 */
export async function liveServer(
  directory: string,
  settings: Record<string, string> = {},
  extraArguments: string[] = [],
): Promise<LiveServer> {
  const port = await freePort()
  const all: Record<string, string> = {
    'pypi.fallback': 'none',
    'pypi.storage': 'file',
    'storage.dir': '%(here)s/packages',
    'db.url': 'sqlite:///%(here)s/cache.db',
    'auth.admins': 'admin',
    'user.admin': testPasswordHash,
    'user.writer': testPasswordHash,
    'user.reader': testPasswordHash,
    'group.writers': 'writer',
    'pypi.default_write': 'writers',
    'session.validate_key': 'test-validate-key',
    ...settings,
  }
  const file = join(directory, 'server.ini')
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value.replaceAll('\n', '\n    ')}`)
  await writeFile(file, `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
  return startServer(file, port, extraArguments)
}

const mostOfLog = 64 << 20

const isFilling = /it is rebuilt from the storage/
const isFilled =
  /the cache is complete|the cache is not complete: ppc-rebuild-cache|the cache could not be rebuilt/

/** A first list of files that takes longer than a start waits for it: until then names are answered 503. */
async function untilFilled(log: () => string): Promise<void> {
  if (!isFilling.test(log())) return
  const giveUpAt = performance.now() + 20_000 // another server may be at it
  while (!isFilled.test(log()) && performance.now() < giveUpAt) await sleep(50)
}

/** Starts `ppc-serve FILE` and waits until it answers, and knows all files that it has. */
export async function startServer(
  file: string,
  port: number,
  extraArguments: string[] = [],
): Promise<LiveServer> {
  const child = spawn(
    process.execPath,
    [
      join(repoRoot, 'bin', 'ppc-serve.js'),
      file,
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      ...extraArguments,
    ],
    {stdio: ['ignore', 'ignore', 'pipe']},
  )
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
    if (log.length > mostOfLog) log = log.slice(mostOfLog / -2) // millions of requests are more than a string can hold
  })
  const url = `http://127.0.0.1:${port}`
  const exited = once(child, 'exit')
  await untilServed(child, `${url}/health`, {log: () => log})
  await untilFilled(() => log)
  return {
    url,
    urlFor: user => url.replace('//', `//${user}:${encodeURIComponent(testPassword)}@`),
    process: child,
    log: () => log,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
    },
  }
}
