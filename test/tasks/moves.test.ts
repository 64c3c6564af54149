import assert from 'node:assert/strict'
import {createReadStream} from 'node:fs'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import type {Access} from '../../src/lib/access/access.js'
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
  /** Who may do what: for every user, and for strangers, their rights on every project. */
  const decisions = async (access: Access, policy: AccessPolicy, projects: readonly string[]) => {
    const table: Record<string, string> = {}
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
        const original = createReadStream(join(fixtures, 'acl/export.json.gz'))
        const before = await moveTo(source, original, async (access, policy) => {
          const dump = await textOf(access)
          return {dump, table: await decisions(access, policy, projectsIn(dump))}
        })
        const moved = await moveTo(target, Readable.from([Buffer.from(before.dump)]), (access, policy) =>
          decisions(access, policy, projectsIn(before.dump)),
        )
        assert.ok(Object.keys(before.table).length > 20)
        assert.ok(new Set(Object.values(before.table)).size > 1)
        // A config has no rules for names with a dot: such a user loses them, and nobody else gains any.
        const counts = (what: string) =>
          target !== 'config' || what !== 'svc.build@example.com on foo-bar-baz'
        const compared = (table: Record<string, string>) =>
          Object.entries(table).filter(([what]) => counts(what))
        assert.deepEqual(compared(moved).sort(), compared(before.table).sort())
      })
    }
  }
})
