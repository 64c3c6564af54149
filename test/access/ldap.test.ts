import {after, before, describe} from 'node:test'
import type {Access, AclEntry} from '../../src/lib/access/access.js'
import {formatConfigLines} from '../../src/lib/access/config-lines.js'
import {openLdapAccess} from '../../src/lib/access/ldap/ldap.js'
import type {Config} from '../../src/lib/config/config.js'
import {describeAccess} from '../contracts/access.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'
import {addEntries, organization, person, type Slapd} from './tree.js'

const available = needs('slapd', 'openssl')
let slapd: Slapd
let directories: AsyncDisposable[] = []
let trees = 0

before(async () => {
  if (available.skip === false)
    slapd = await startService('slapd', {modules: [], configuration: 'sizelimit 500'})
})
after(async () => {
  for (const directory of directories) await directory[Symbol.asyncDispose]()
  directories = []
  await slapd[Symbol.asyncDispose]()
})

async function configFor(settings: Record<string, string>, extra = ''): Promise<Config> {
  const directory = await tempDir()
  directories.push(directory)
  const common = {'storage.dir': 'x', 'db.url': 'sqlite://', 'pypi.auth': 'ldap', 'auth.ldap.url': slapd.url}
  return configWith(directory.path, {...common, ...settings}, extra)
}

/** A part of the directory for one test. */
async function newTree(): Promise<string> {
  const base = `ou=tree${(trees += 1)},${slapd.suffix}`
  await addEntries(slapd, [organization(base)])
  return base
}

async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

/** Users of `entries` in the directory, their groups and rules in the file. */
async function openWith(entries: readonly AclEntry[]): Promise<Access> {
  const base = await newTree()
  const users = entries.filter(entry => entry.kind === 'user')
  await addEntries(
    slapd,
    users.map(({username, admin}, index) =>
      person(`cn=${index},${base}`, {
        cn: String(index),
        uid: username,
        userPassword: 'secret',
        ...(admin && {title: 'Head of Packages'}),
      }),
    ),
  )
  const lines = await formatConfigLines(stream(entries))
  const config = await configFor(
    {
      'auth.ldap.base_dn': base,
      'auth.ldap.user_search_filter': '(uid={username})',
      'auth.ldap.admin_field': 'title',
      'auth.ldap.admin_value': 'Head of Packages',
      'auth.ldap.fallback': 'config',
    },
    lines,
  )
  return openLdapAccess(config)
}

describe('ldap', available, () => {
  describeAccess(
    'ldap',
    openWith,
    {'tells names apart that differ in case or blanks only': 'a directory compares names as its schema says'},
    {hidesHashes: true},
  )
})
