import type {AclEntry} from '../../src/lib/access/access.js'
import {formatConfigLines} from '../../src/lib/access/config-lines.js'
import {hashPassword} from '../../src/lib/access/passwords/index.js'
import {openBackends} from '../../src/lib/backends.js'
import {addEntries, organization, person} from '../access/tree.js'
import {startService} from '../services/index.js'
import {startAccessServer} from './access-server.js'
import {configWith, tempDir} from './temp.js'
import type {needs} from './needs.js'

/** Where users and rights can be, and what has to be installed for it. */
export const accessPlaces = {
  config: [],
  sqlite: [],
  postgresql: ['postgresql'],
  mariadb: ['mariadb'],
  secret: ['moto'],
  ldap: ['slapd', 'openssl'],
  remote: [],
} as const satisfies Readonly<Record<string, Parameters<typeof needs>>>
export type AccessPlace = keyof typeof accessPlaces
export const placeNames = Object.keys(accessPlaces) as AccessPlace[]

/** Whose users can be changed. */
export const canWrite = (place: AccessPlace): boolean => !['config', 'ldap', 'remote'].includes(place)

/** What a config says to have users and rights from somewhere; they go when it is disposed of. */
export interface FilledAccess extends AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>
  /** Further lines, with the rules that are in the file. */
  readonly lines: string
}

/** In every place, the password of a user NAME is `NAME-pw`. */
export const passwordOf = (username: string): string => `${username}-pw`

/** Starts what `place` needs, and puts `entries` there, whose users need no hashes. */
export async function fillAccess(place: AccessPlace, entries: readonly AclEntry[]): Promise<FilledAccess> {
  const hashed = await Promise.all(entries.map(withHash))
  switch (place) {
    case 'config':
      return {
        settings: {'pypi.auth': 'config'},
        lines: await formatConfigLines(stream(hashed)),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }
    case 'sqlite': {
      const directory = await tempDir()
      const url = `sqlite:///${directory.join('access.db')}`
      return load({'pypi.auth': 'sql', 'auth.db.url': url}, hashed, directory)
    }
    case 'postgresql':
    case 'mariadb': {
      const server = await startService(place)
      return load({'pypi.auth': 'sql', 'auth.db.url': server.url}, hashed, server)
    }
    case 'secret': {
      const moto = await startService('moto')
      const settings = {
        'pypi.auth': 'aws_secrets_manager',
        'auth.secret_id': 'rules',
        'auth.region_name': 'us-east-1',
        'auth.aws_access_key_id': 'AKIDEXAMPLE',
        'auth.aws_secret_access_key': 'secret-example',
        'auth.endpoint_url': moto.url,
      }
      return load(settings, hashed, moto)
    }
    case 'ldap':
      return fillDirectory(hashed)
    case 'remote': {
      const server = await startAccessServer(entries)
      return {
        settings: {'pypi.auth': 'remote', 'auth.backend_server': server.url},
        lines: '',
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      }
    }
  }
}

const withHash = async (entry: AclEntry): Promise<AclEntry> =>
  entry.kind === 'user' || entry.kind === 'pending'
    ? {...entry, passwordHash: await hashPassword(passwordOf(entry.username), {rounds: 1000})}
    : entry

async function load(
  settings: Record<string, string>,
  entries: readonly AclEntry[],
  service: AsyncDisposable,
): Promise<FilledAccess> {
  await using directory = await tempDir()
  const config = await configWith(directory.path, {'storage.dir': 'x', 'db.url': 'sqlite://', ...settings})
  await using backends = await openBackends(config, ['access'])
  await backends.access.writer?.load(stream(entries))
  return {settings, lines: '', [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]()}
}

/** Users in a directory, groups and rules in the file. */
async function fillDirectory(entries: readonly AclEntry[]): Promise<FilledAccess> {
  const slapd = await startService('slapd', {modules: [], configuration: 'sizelimit 500'})
  const base = `ou=people,${slapd.suffix}`
  const users = entries.filter(entry => entry.kind === 'user')
  await addEntries(slapd, [
    organization(base),
    ...users.map(({username, admin}, index) =>
      person(`cn=${index},${base}`, {
        cn: String(index),
        uid: username,
        userPassword: passwordOf(username),
        ...(admin && {title: 'Boss'}),
      }),
    ),
  ])
  return {
    settings: {
      'pypi.auth': 'ldap',
      'auth.ldap.url': slapd.url,
      'auth.ldap.base_dn': base,
      'auth.ldap.user_search_filter': '(uid={username})',
      'auth.ldap.admin_field': 'title',
      'auth.ldap.admin_value': 'Boss',
      'auth.ldap.fallback': 'config',
    },
    lines: await formatConfigLines(stream(entries)),
    [Symbol.asyncDispose]: () => slapd[Symbol.asyncDispose](),
  }
}

async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}
