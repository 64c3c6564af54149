import {spawnSync} from 'node:child_process'
import {existsSync, readdirSync} from 'node:fs'
import {delimiter, join} from 'node:path'
import {repoRoot} from './paths.js'

/** What a test may need from outside, and how a person gets it. `.ci/run` installs all of them. */
const howToGet: Readonly<Record<string, string>> = {
  pip: 'scripts/install-test-tools',
  'pip-23': 'scripts/install-test-tools',
  twine: 'scripts/install-test-tools',
  'twine-5': 'scripts/install-test-tools',
  uv: 'scripts/install-test-tools',
  'uv-0': 'scripts/install-test-tools',
  poetry: 'scripts/install-test-tools',
  'poetry-1': 'scripts/install-test-tools',
  hatch: 'scripts/install-test-tools',
  pdm: 'scripts/install-test-tools',
  flit: 'scripts/install-test-tools',
  pypicloud: 'scripts/install-test-tools',
  moto: 'scripts/install-test-tools',
  ministack: 'scripts/install-test-tools',
  versitygw: 'scripts/install-test-tools',
  'fake-gcs-server': 'scripts/install-test-tools',
  azurite: 'scripts/install-test-tools',
  dynalite: 'scripts/install-test-tools',
  redis: 'apt-get install redis-server',
  'redis-cluster': 'apt-get install redis-server redis-tools',
  'redis-sentinel': 'apt-get install redis-server',
  postgresql: 'apt-get install postgresql',
  mariadb: 'apt-get install mariadb-server',
  slapd: 'apt-get install slapd',
  ldapsearch: 'apt-get install ldap-utils',
  openssl: 'apt-get install openssl',
  rclone: 'apt-get install rclone',
  nginx: 'apt-get install nginx-light',
  wrk: 'apt-get install wrk',
  python3: 'apt-get install python3',
  tmux: 'apt-get install tmux',
  root: 'run the tests as root',
}

/** `PPC_TEST_REQUIRE=all` or a list: what must not be missing. */
const required = new Set((process.env['PPC_TEST_REQUIRE'] ?? '').split(/[\s,]+/).filter(Boolean))

/** What has another name than the program to run. */
const commands: Readonly<Record<string, string>> = {
  pypicloud: 'pserve',
  moto: 'moto_server',
  azurite: 'azurite-blob',
  redis: 'redis-server',
  'redis-cluster': 'redis-server',
  'redis-sentinel': 'redis-server',
  postgresql: 'postgres',
  mariadb: 'mariadbd',
}

/** Where `scripts/install-test-tools` puts things: Python programs into a virtual environment each, the others together. */
export const toolsDirectory = join(repoRoot, '.cache', 'test-tools')

/** The path of a program: of the test tools first, then on the PATH, then where Debian hides servers. */
export function findProgram(name: string): string | undefined {
  const command = commands[name] ?? name.replace(/-\d+$/, '')
  const own = [join(name, 'bin'), join('go', 'bin'), join('azurite', 'node_modules', '.bin')]
    .map(directory => join(toolsDirectory, directory, command))
    .find(path => existsSync(path))
  if (own !== undefined) return own
  if (/-\d+$/.test(name)) return undefined // a pinned version is never whatever the PATH has
  return [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...serverDirectories()]
    .map(directory => join(directory, command))
    .find(path => existsSync(path) && spawnSync(path, ['--version'], {stdio: 'ignore'}).error === undefined)
}

/** The newest PostgreSQL, and what a plain user doesn't have in the PATH. */
function serverDirectories(): string[] {
  const versions = '/usr/lib/postgresql'
  const newestFirst = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a)) : []
  return [...newestFirst.map(version => join(versions, version, 'bin')), '/usr/local/sbin', '/usr/sbin']
}

/**
 * Options for a test or suite that needs programs: `it('…', needs('uv'), …)`. A missing one skips it with the reason
 * and the way to get it, unless PPC_TEST_REQUIRE names it: then the test runs and fails.
 */
export function needs(...names: string[]): {skip: string | false} {
  const missing = names.filter(name =>
    name === 'root' ? process.getuid?.() !== 0 : findProgram(name) === undefined,
  )
  const skippable = missing.filter(name => !required.has('all') && !required.has(name))
  if (skippable.length === 0) return {skip: false}
  const hints = [...new Set(skippable.map(name => howToGet[name] ?? `install ${name}`))]
  return {skip: `needs ${skippable.join(', ')} (${hints.join('; ')})`}
}

/** The program's path. @throws when it is missing, which `needs` has ruled out or PPC_TEST_REQUIRE made a failure. */
export function program(name: string): string {
  const path = findProgram(name)
  if (path === undefined)
    throw new Error(`${name} is required by PPC_TEST_REQUIRE and missing: ${howToGet[name] ?? ''}`)
  return path
}
