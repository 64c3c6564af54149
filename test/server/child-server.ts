import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {fileURLToPath} from 'node:url'
import {waitFor} from '../support/wait.js'

const childFile = join(dirname(fileURLToPath(import.meta.url)), 'serve-child.js')

/** A server in processes of its own, which logs to stderr. */
export interface ChildServer extends AsyncDisposable {
  readonly process: ChildProcess
  readonly url: string
  /** The lines of its log so far. */
  log(): Record<string, unknown>[]
  /** Waits for a line of the log that has come since the last call with this message. */
  logged(message: string | RegExp): Promise<Record<string, unknown>>
  readonly exit: Promise<unknown>
}

/** A config that everybody may read, and write as `writer`. */
export const openSettings: Readonly<Record<string, string>> = {
  use: 'egg:pypicloud',
  'pypi.fallback': 'none',
  'pypi.default_read': 'everyone',
  'pypi.default_write': 'authenticated',
  'storage.dir': '%(here)s/packages',
  'db.url': 'sqlite:///%(here)s/cache.db',
  'pypi.auth': 'config',
}

export async function writeIni(
  file: string,
  values: Readonly<Record<string, string>>,
  more = '',
): Promise<void> {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${value}\n`)
  await writeFile(file, `[app:main]\n${lines.join('')}${more}`)
}

/** Starts one over the config `file`, on a free port. */
export async function startChild(file: string, workers = 1): Promise<ChildServer> {
  const child = spawn(process.execPath, [childFile, file, String(workers), '10'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const exit = once(child, 'exit')
  const [url] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exit.then(() => [`it ended: ${stderr}`]),
  ])) as [string]
  const log = () =>
    stderr
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Record<string, unknown>)
  let seen = 0
  return {
    process: child,
    url,
    log,
    exit,
    async logged(message) {
      const isIt = (msg: unknown) =>
        typeof message === 'string' ? msg === message : message.test(String(msg))
      const find = () => {
        const lines = log()
        const at = lines.findIndex(({msg}, i) => i >= seen && isIt(msg))
        if (at < 0) return undefined
        seen = at + 1
        return lines[at]
      }
      return waitFor(`the log says ${String(message)}`, find, 50)
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) child.kill('SIGTERM')
      await exit
    },
  }
}
