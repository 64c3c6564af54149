import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {copyFile, readFile, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {program} from './needs.js'
import {runProgram, type Finished} from './run.js'
import {untilServed} from './until-served.js'

export interface OriginalServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly url: string
  /** Everything it has written. */
  log(): string
}

/** A program of the virtual environment in which pypicloud 1.3.12 is installed. */
const installed = (name: string): string => join(dirname(program('pypicloud')), name)

/** Leaves the terminal, so that Python's getpass reads stdin, and becomes the program. */
const withoutTerminal = 'import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])'

/** Runs one of pypicloud's own tools, such as `ppc-export`; what it asks is answered by the lines of `input`. */
export function runOriginal(
  tool: string,
  args: readonly string[],
  options: {cwd: string; input?: string},
): Promise<Finished> {
  return runProgram(installed('python'), ['-c', withoutTerminal, installed(tool), ...args], options)
}

/** Runs a script that imports pypicloud. */
export const runOriginalPython = (
  script: string,
  args: readonly string[],
  options: {cwd: string; input?: string},
): Promise<Finished> => runProgram(installed('python'), [script, ...args], options)

/**
 * Starts pypicloud with `pserve FILE`; the file's `[server:main]` names 127.0.0.1 and `port`. Whatever the file says,
 * unknown projects are looked up at `upstream`: by default pages of them redirect to a port on which nobody listens.
 */
export async function startOriginal(
  file: string,
  port: number,
  upstream = {mode: 'redirect', baseUrl: 'http://127.0.0.1:9'},
): Promise<OriginalServer> {
  const child = spawn(program('pypicloud'), [file], {
    cwd: dirname(file),
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: dirname(file),
      LANG: 'C.UTF-8',
      ...upstreamVariables(upstream),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  }
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  await untilServed(child, `${url}/health`, {log: () => log})
  return {
    url,
    log: () => log,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL') // it has nothing to end
      await exited
    },
  }
}

/** A config without an upstream of its own means the public index. */
const upstreamVariables = ({mode, baseUrl}: {mode: string; baseUrl: string}) => ({
  PPC_PYPI_FALLBACK: mode,
  PPC_PYPI_FALLBACK_BASE_URL: baseUrl,
})

/** Edits a config as an operator does: sets keys of its app section, and where the original's server listens. */
export async function editConfig(
  file: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  const wanted = Object.entries(settings)
  const kept = lines.filter(line => !wanted.some(([key]) => line.replace(/\s*=.*/, '') === key))
  const app = kept.findIndex(line => line.startsWith('use = egg:pypicloud'))
  kept.splice(app + 1, 0, ...wanted.map(([key, value]) => `${key} = ${value}`))
  const text = kept
    .join('\n')
    .replace(/^host = 0\.0\.0\.0$/m, 'host = 127.0.0.1')
    .replace(/^port = \d+$/m, found => (port > 0 ? `port = ${port}` : found))
    .replaceAll('/var/log/', `${dirname(file)}/`)
    .replaceAll('/var/lib/pypicloud', dirname(file))
  const server = `\n[server:main]\nuse = egg:waitress#main\nhost = 127.0.0.1\nport = ${port}\n`
  await writeFile(file, text.includes('[server:main]') ? text : text + server)
}

/** A config of pypicloud's own ppc-make-config, with `filesystem` as storage and `admin` as administrator. */
export async function makeOriginalConfig(form: '-d' | '-t' | '-p' | '-r', file: string): Promise<void> {
  const answers = ['3', 'admin', originalAdminPassword, originalAdminPassword]
  const made = await runOriginal('ppc-make-config', [form, file], {
    cwd: dirname(file),
    input: `${answers.join('\n')}\n`,
  })
  if (made.code !== 0) throw new Error(made.stderr)
}
export const originalAdminPassword = 'original admin'

/** The same over a bucket of S3, which pypicloud makes where there is none. */
export async function makeOriginalBucketConfig(
  file: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  await makeOriginalConfig('-t', file)
  await editConfig(file, port, {
    'pypi.fallback': 'redirect',
    'pypi.fallback_base_url': 'http://127.0.0.1:9',
    'db.graceful_reload': 'false',
    ...settings,
  })
}

/** Hashes by scheme, as pypicloud makes them. */
export async function originalHashes(
  schemes: readonly string[],
  password: string,
): Promise<Readonly<Record<string, string>>> {
  const script = `import json, sys
from pypicloud.access import get_pwd_context
schemes, password = json.load(sys.stdin)
print(json.dumps({scheme: get_pwd_context(scheme).hash(password) for scheme in schemes}))`
  const done = await runProgram(installed('python'), ['-c', script], {
    cwd: dirname(program('pypicloud')),
    input: JSON.stringify([schemes, password]),
  })
  if (done.code !== 0) throw new Error(done.stderr)
  return JSON.parse(done.stdout) as Record<string, string>
}

/** Writes another config beside `file`, with other values for some of its keys. */
export async function copyConfig(
  file: string,
  copy: string,
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  await copyFile(file, copy)
  await editConfig(copy, 0, settings)
  return copy
}
