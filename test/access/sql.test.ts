import assert from 'node:assert/strict'
import {copyFile, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import Sqlite from 'better-sqlite3'
import type {AclEntry} from '../../src/lib/access/access.js'
import {describeAccess, describeAccessWriter} from '../contracts/access.js'
import {describeTokenStore} from '../contracts/token-store.js'
import {fixtures} from '../support/paths.js'
import {letsEveryUserIn, openStore} from './sql-support.js'

async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

describeAccess('sql on SQLite', async entries => {
  const access = await (await openStore()).open()
  await access.writer?.load(stream(entries))
  return access
})
describeAccessWriter('sql on SQLite', async () => (await openStore()).open)
describeTokenStore('sql on SQLite', async () => (await openStore()).open)

describe('an access database of pypicloud', () => {
  for (const database of ['sql/access.db', 'acl/after-import.access.db']) {
    it(`lets every user in and wrong passwords out (${database})`, async () => {
      await using access = await (await openStore(database)).open()
      await letsEveryUserIn(access)
    })
  }
  it('keeps its schema, whatever we write', async () => {
    const {path, open} = await openStore('sql/access.db')
    const schema = () => {
      const database = new Sqlite(path, {readonly: true})
      const rows = database.prepare('SELECT name, sql FROM sqlite_master ORDER BY name').all()
      const journal = database.pragma('journal_mode', {simple: true})
      database.close()
      return {rows, journal}
    }
    const before = schema()
    {
      await using access = await open()
      assert.equal(await access.writer?.needsAdmin(), false)
      await access.writer?.grant('Some_Lib', {user: 'bob'}, 'read')
      await access.writer?.load(stream([{kind: 'group', name: 'more'}]))
      await access.writer?.deleteUser('frank')
    }
    assert.deepEqual(schema(), before)
    const database = new Sqlite(path, {readonly: true})
    const rows = database.prepare(`SELECT * FROM pypicloud_user_permissions WHERE package = 'some-lib'`).all()
    assert.deepEqual(rows, [{package: 'some-lib', read: 1, write: 0, username: 'bob'}])
    const mark = database.prepare('SELECT * FROM pypicloud_keyvals ORDER BY key').all()
    assert.deepEqual(mark, [
      {key: 'allow_register', value: 'true'},
      {key: 'ppc_had_admin', value: 'true'},
    ])
    database.close()
  })
  it('is made with the same tables when it is missing', async () => {
    const {path, open} = await openStore()
    const [one, other] = await Promise.all([open(), open()])
    await one[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
    const database = new Sqlite(path, {readonly: true})
    const tables = database
      .prepare(`SELECT sql FROM sqlite_master WHERE type = 'table'`)
      .pluck()
      .all() as string[]
    database.close()
    const theirs = await readFile(join(fixtures, 'sql/access.sqlite.sql'), 'utf8')
    assert.equal(tables.length, 6)
    for (const sql of tables) assert.ok(theirs.includes(`${sql};`), sql)
  })
  it('is read when it may not be written', async () => {
    const {path, open} = await openStore('sql/access.db')
    const blocker = new Sqlite(path)
    blocker.exec(`UPDATE pypicloud_users SET admin = 1 WHERE username = 'bob'`)
    await using access = await open()
    blocker.exec('BEGIN IMMEDIATE')
    assert.equal((await access.findAccount('bob'))?.admin, true)
    blocker.exec('ROLLBACK')
    blocker.close()
  })
})

describe('what others left in the database', () => {
  it('is not inherited: rules, memberships and rows of groups without users', async () => {
    const {path, open} = await openStore('sql/access.db')
    const database = new Sqlite(path)
    database.pragma('foreign_keys = OFF')
    database.exec(
      `DELETE FROM pypicloud_users WHERE username = 'bob'; DELETE FROM pypicloud_groups WHERE name = 'ops'`,
    )
    database.close()
    await using access = await open()
    assert.deepEqual(
      (await access.listOrphans()).map(({project, principal}) => ({project, ...principal})),
      [
        {project: 'private-tool', user: 'bob'},
        {project: 'private-tool', group: 'ops'},
      ],
    )
    await access.writer?.load(
      stream([
        {kind: 'user', username: 'bob', admin: false, passwordHash: 'x'},
        {kind: 'group', name: 'ops'},
      ]),
    )
    assert.deepEqual(await access.listOrphans(), [])
    assert.deepEqual(await access.listGroupsOf('bob'), [])
    assert.deepEqual(await access.listMembers('ops'), [])
    assert.equal((await access.getRules('private-tool')).users.size, 0)
  })
  it('shows at once: rights that pypicloud revokes on the same file', async () => {
    const {path, open} = await openStore('sql/access.db')
    await using access = await open()
    const token = await access.changeToken()
    assert.equal((await access.getRules('Not.Normalised_Name')).users.size, 1)
    const database = new Sqlite(path)
    database.exec(`DELETE FROM pypicloud_user_permissions WHERE username = 'frank'`)
    database.close()
    assert.notEqual(await access.changeToken(), token)
    assert.equal((await access.getRules('Not.Normalised_Name')).users.size, 0)
  })
  it('is no trouble when the file is gone or no database', async () => {
    const {path, open} = await openStore()
    await (await open())[Symbol.asyncDispose]()
    await rm(path)
    await copyFile(join(fixtures, 'passwords.json'), path)
    await assert.rejects(open(), {code: 'PPC_DATABASE_FAILED'})
  })
})
