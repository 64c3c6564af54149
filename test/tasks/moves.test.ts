import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {gunzipSync} from 'node:zlib'
import type {Access} from '../../src/lib/access/access.js'
import type {ApiToken} from '../../src/lib/access/api-tokens/api-token.js'
import {fieldsOf} from '../../src/lib/access/api-tokens/token-fields.js'
import {makeTokenText} from '../../src/lib/access/api-tokens/token-text.js'
import {formatDump} from '../../src/lib/access/dump/dump.js'
import {anonymous} from '../../src/lib/access/identity.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {openBackends} from '../../src/lib/backends.js'
import {importAccess} from '../../src/lib/tasks/import-access.js'
import {startService, type Service} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'

const token = (owner: string, more: Partial<ApiToken> = {}) => {
  const {text: secret, ...key} = makeTokenText()
  const rest = {
    owner,
    name: '',
    scopes: ['read'],
    projects: [],
    created: '2026-01-02T03:04:05Z',
    expires: null,
  } as const
  return {text: secret, fields: fieldsOf({...key, ...rest, ...more})}
}
/** By what they try. */
const tokens = {
  'of a user': token('bob', {name: "ünï 🔑 50% o'brien", scopes: ['read', 'upload']}),
  'of some projects': token('ada', {scopes: ['read', 'delete'], projects: ['acme-*', 'foo-bar-baz']}),
  'of an administrator': token('ada', {scopes: ['admin'], expires: '2099-01-01T00:00:00Z'}),
  'that has expired': token('bob', {expires: '2026-01-03T00:00:00Z'}),
  'of a name with dots': token('svc.build@example.com', {scopes: ['upload']}),
  'of who waits for approval': token('pat'),
}
/** What pypicloud exported, with API tokens. */
const dumpWithTokens = async (): Promise<Readable> => {
  const dump = JSON.parse(
    gunzipSync(await readFile(join(fixtures, 'acl/export.json.gz'))).toString(),
  ) as object
  const ppc_tokens = Object.values(tokens).map(({fields}) => fields)
  return Readable.from([Buffer.from(JSON.stringify({...dump, ppc_tokens}))])
}

type Settings = Record<string, string>
const common: Settings = {'storage.dir': 'x', 'db.url': 'sqlite://', 'pypi.default_read': 'authenticated'}
const places = ['config', 'sqlite', 'postgresql', 'mariadb', 'secret'] as const
type Place = (typeof places)[number]

describe('users and rights that move', needs('postgresql', 'mariadb', 'moto'), () => {
  const servers: {postgresql?: DatabaseServer; mariadb?: DatabaseServer; moto?: Service} = {}
  let made = 0
  before(async () => {
    servers.postgresql = await startService('postgresql')
    servers.mariadb = await startService('mariadb')
    servers.moto = await startService('moto')
  })
  after(async () => {
    for (const server of Object.values(servers)) await server[Symbol.asyncDispose]()
  })

  const settingsOf = async (place: Place, file: string): Promise<Settings> => {
    made += 1
    if (place === 'config') return {'pypi.auth': 'config'}
    if (place === 'secret') {
      return {
        'pypi.auth': 'aws_secrets_manager',
        'auth.secret_id': `moved/${made}`,
        'auth.region_name': 'us-east-1',
        'auth.aws_access_key_id': 'AKIDEXAMPLE',
        'auth.aws_secret_access_key': 'secret-example',
        'auth.endpoint_url': servers.moto?.url ?? '',
      }
    }
    const url = place === 'sqlite' ? `sqlite:///${file}` : await servers[place]?.createDatabase()
    return {'pypi.auth': 'sql', 'auth.db.url': url ?? ''}
  }

  /** Opens a new place, puts the dump into it as an operator would, and looks at it. */
  const moveTo = async <T>(
    place: Place,
    dump: Readable,
    look: (access: Access, policy: AccessPolicy) => Promise<T>,
  ): Promise<T> => {
    await using dir = await tempDir()
    const settings = {...common, ...(await settingsOf(place, dir.join('access.db')))}
    const config = await configWith(dir.path, settings)
    await using empty = await openBackends(config, ['access'])
    const result = await importAccess(dump, empty.access)
    if ('report' in result) return await look(empty.access, new AccessPolicy(empty.access, config))
    const filled = await configWith(dir.path, settings, result.configLines)
    await using backends = await openBackends(filled, ['access'])
    return await look(backends.access, new AccessPolicy(backends.access, filled))
  }
  const textOf = (access: Access): Promise<string> => text(formatDump(access))

  const projectsIn = (dump: string): string[] => {
    const {packages} = JSON.parse(dump) as {packages: {users: object; groups: object}}
    return [...new Set([...Object.keys(packages.users), ...Object.keys(packages.groups), 'unruled'])].sort()
  }
  /** Who may do what: for every user and token, and for strangers, their rights on every project. */
  const decisions = async (access: Access, policy: AccessPolicy, projects: readonly string[]) => {
    const table: Record<string, string> = {}
    for (const [name, {text: password}] of Object.entries(tokens)) {
      const identity = await policy.authenticateToken(password)
      table[`token ${name}`] = identity?.username ?? 'is refused'
      for (const project of identity ? [...projects, 'acme-new'] : []) {
        const may = (['read', 'upload', 'delete', 'admin'] as const).map(async scope =>
          policy.can(identity!, project, scope === 'read' ? 'read' : 'write', scope),
        )
        table[`token ${name} on ${project}`] = (await Promise.all(may)).join()
      }
    }
    const kept = (await access.tokens?.list())?.filter(({owner}) => owner !== 'pat').map(fieldsOf)
    table['tokens'] = JSON.stringify(kept?.sort((a, b) => (a.id < b.id ? -1 : 1)))
    const users = (await access.listUsers()).map(({username}) => username)
    for (const username of [undefined, ...users]) {
      const identity = username === undefined ? anonymous : await policy.identify(username)
      assert.ok(identity, username)
      for (const project of projects) {
        const may = [
          await policy.can(identity, project, 'read'),
          await policy.can(identity, project, 'write'),
        ]
        table[`${username ?? '(anybody)'} on ${project}`] = may.join()
      }
    }
    return table
  }

  for (const source of places) {
    for (const target of places) {
      it(`may do the same in ${target} as in ${source}`, async () => {
        const original = await dumpWithTokens()
        const before = await moveTo(source, original, async (access, policy) => {
          const dump = await textOf(access)
          return {dump, table: await decisions(access, policy, projectsIn(dump))}
        })
        const moved = await moveTo(target, Readable.from([Buffer.from(before.dump)]), (access, policy) =>
          decisions(access, policy, projectsIn(before.dump)),
        )
        assert.ok(Object.keys(before.table).length > 20)
        assert.ok(new Set(Object.values(before.table)).size > 1)
        assert.equal(before.table['token of an administrator on secret-lib'], 'true,true,true,true')
        assert.equal(before.table['token of some projects on acme-new'], 'true,false,true,false')
        assert.equal(before.table['token that has expired'], 'is refused')
        assert.equal(before.table['token of who waits for approval'], 'is refused')
        // A config has no rules for names with a dot: such a user loses them, and nobody else gains any.
        const losers = ['svc.build@example.com', 'token of a name with dots'].map(
          who => `${who} on foo-bar-baz`,
        )
        const counts = (what: string) => target !== 'config' || !losers.includes(what)
        const compared = (table: Record<string, string>) =>
          Object.entries(table).filter(([what]) => counts(what))
        assert.deepEqual(compared(moved).sort(), compared(before.table).sort())
      })
    }
  }
})
