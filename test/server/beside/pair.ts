import {writeFile} from 'node:fs/promises'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import Sqlite from 'better-sqlite3'
import {freePort} from '../../support/free-port.js'
import {testPasswordHash} from '../../support/live-server.js'
import {startOriginal} from '../../support/original.js'
import {tempDir} from '../../support/temp.js'
import {undeclaredAnswers} from '../declared-answers.js'
import {copyPypicloudState, install} from '../installation.js'
import {differences} from '../replay/compare.js'
import {cookieDifferences, exchangeOf, Side} from './answer.js'
import type {Asked} from './request.js'

/** pypicloud and this server, each on a copy of its own of one installation. */
export interface Pair extends AsyncDisposable {
  /** What a client would notice of our answer that pypicloud's does not have: one line each. */
  differencesOf(asked: Asked): Promise<string[]>
  /** The folders with the state of pypicloud and of this server. */
  readonly directories: readonly [theirs: string, ours: string]
  /** What we answered that the OpenAPI document does not promise. */
  undeclared(): Promise<readonly string[]>
}

const usual: Readonly<Record<string, string>> = {
  'pypi.default_read': 'authenticated',
  'pypi.default_write': '',
  'pypi.fallback': 'redirect',
  'pypi.fallback_base_url': 'http://127.0.0.1:9', // where nobody listens
  'storage.dir': '%(here)s/packages',
  'db.url': 'sqlite:///%(here)s/cache.db',
  'pypi.auth': 'sql',
  'auth.db.url': 'sqlite:///%(here)s/access.db',
  'auth.rounds': '1000',
  'auth.signing_key': 'signing key',
  'session.encrypt_key': 'c2hhcmVkLWVuY3J5cHQta2V5LTMyLWJ5dGVzLWxvbmc=',
  'session.validate_key': 'c2hhcmVkLXZhbGlkYXRlLWtleS0zMi1ieXRlcy1sbmc=',
  'pypi.trusted_proxies': '127.0.0.1',
  'session.secure': 'false',
  'session.invalidate_corrupt': 'true',
}

/** Every user of the installation has `testPassword`. @param settings of the app section, beside what is usual here. */
export async function startPair(settings: Readonly<Record<string, string>> = {}): Promise<Pair> {
  const all = {...usual, ...settings}
  const port = await freePort()
  const ini = configText(all, port)
  const directory = await tempDir()
  await prepare(directory.path)
  await writeFile(directory.join('server.ini'), ini)
  const original = await startOriginal(directory.join('server.ini'), port, {
    mode: all['pypi.fallback'] ?? '',
    baseUrl: all['pypi.fallback_base_url'] ?? '',
  })
  const server = await install(ini, prepare)
  const undeclared = undeclaredAnswers(server.app)
  await server.app.listen({host: '127.0.0.1', port: 0})
  const theirs = new Side(port)
  const ours = new Side((server.app.server.address() as AddressInfo).port)
  return {
    directories: [directory.path, server.directory],
    undeclared,
    async differencesOf(asked) {
      const [then, now] = await Promise.all([theirs.ask(asked), ours.ask(asked)])
      const found = [...differences(exchangeOf(asked, then), now), ...cookieDifferences(asked, then, now)]
      return then.statusCode === now.statusCode ? found : found.slice(0, 1) // the rest follows from the status
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await original[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

const configText = (settings: Readonly<Record<string, string>>, port: number): string =>
  [
    '[app:main]',
    'use = egg:pypicloud',
    ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
    '[server:main]',
    'use = egg:waitress#main',
    'host = 127.0.0.1',
    `port = ${port}`,
    '',
  ].join('\n')

/** The passwords of the installation cost what real ones cost: both servers would mostly hash. */
async function prepare(directory: string): Promise<void> {
  await copyPypicloudState(directory)
  const users = new Sqlite(join(directory, 'access.db'))
  users.prepare('UPDATE pypicloud_users SET password = ?').run(testPasswordHash)
  users.close()
}
