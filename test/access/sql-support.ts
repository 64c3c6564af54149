import assert from 'node:assert/strict'
import {copyFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after} from 'node:test'
import type {Access} from '../../src/lib/access/access.js'
import {verifyPassword} from '../../src/lib/access/passwords/index.js'
import {openSqlAccess} from '../../src/lib/access/sql/sql.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'

/** The users of pypicloud's databases among the fixtures; only `ada` is an administrator, and `pat` waits for approval. */
const fixturePasswords = {
  ada: 'Ada-pass-1',
  bob: "b0b's secret",
  carol: 'carol:with:colons',
  dave: 'pässwörd-dave',
  erin: 'erin pass with spaces',
  frank: 'frank$argon2',
  'svc.build@example.com': 'svc%20token+/=',
  pat: 'pat-pending',
}

/** That each of these users gets in by the password, and none of `tried` by another one. */
export async function letsEveryUserIn(
  access: Access,
  tried: readonly string[] = Object.keys(fixturePasswords),
): Promise<void> {
  for (const [username, password] of Object.entries(fixturePasswords)) {
    const account = await access.findAccount(username)
    assert.equal(await verifyPassword(password, account?.passwordHash ?? ''), true, username)
    if (tried.includes(username))
      assert.equal(await verifyPassword(`${password}!`, account?.passwordHash ?? ''), false, username)
    assert.equal(account?.pending, username === 'pat')
    assert.equal(account.admin, username === 'ada')
  }
}

const directories: AsyncDisposable[] = []
after(async () => {
  for (const directory of directories) await directory[Symbol.asyncDispose]()
})

const freshDirectory = async () => {
  const directory = await tempDir()
  directories.push(directory)
  return directory
}

/** Opens a database of SQLite, which may be missing yet. */
export async function openSqlAt(path: string): Promise<Access> {
  const {path: directory} = await freshDirectory()
  const values = {'storage.dir': 'x', 'db.url': 'sqlite://'}
  return openSqlAccess(
    await configWith(directory, {...values, 'pypi.auth': 'sql', 'auth.db.url': `sqlite:///${path}`}),
  )
}

/** Where a database of SQLite is, none or a copy of a fixture's, which goes when all tests of the file have ended. */
export async function openStore(database?: string) {
  const path = (await freshDirectory()).join('access.db')
  if (database !== undefined) await copyFile(join(fixtures, database), path)
  return {path, open: () => openSqlAt(path)}
}
