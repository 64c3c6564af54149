import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {repoRoot} from '../support/paths.js'
import {runProgram, type Finished} from '../support/run.js'

interface PackageJson {
  readonly name: string
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
}
export const packageJson = JSON.parse(await readFile(join(repoRoot, 'package.json'), 'utf8')) as PackageJson

/** The script of a bin. */
export const binPath = (name: string): string => join(repoRoot, packageJson.bin[name] ?? `no bin ${name}`)

/** Runs `line`, a bin and its arguments, in `cwd` without a terminal: `tool(dir, 'ppc-export server.ini')`. */
export function tool(
  cwd: string,
  line: string | readonly string[],
  options: {input?: string; env?: Record<string, string>} = {},
): Promise<Finished> {
  const [name = '', ...args] = typeof line === 'string' ? line.split(' ') : line
  return runProgram(process.execPath, [binPath(name), ...args], {cwd, ...options})
}

/** A small config with users in a database. */
export const sqlConfig = (name: string): string => `[app:main]
use = egg:pypicloud
pypi.storage = file
storage.dir = %(here)s/${name}-packages
pypi.db = sql
db.url = sqlite:///%(here)s/${name}-cache.sqlite
pypi.auth = sql
auth.db.url = sqlite:///%(here)s/${name}-access.sqlite
session.encrypt_key = key
session.validate_key = key
`
