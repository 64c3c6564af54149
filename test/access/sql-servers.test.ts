import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import type {AclEntry} from '../../src/lib/access/access.js'
import {Memo} from '../../src/lib/access/memo.js'
import {openSqlAccess} from '../../src/lib/access/sql/sql.js'
import {describeAccess, describeAccessWriter} from '../contracts/access.js'
import {describeTokenStore} from '../contracts/token-store.js'
import {createToken} from '../../src/lib/tasks/api-tokens.js'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {sqlClient} from '../services/sql-client.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'
import {letsEveryUserIn} from './sql-support.js'

async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

for (const name of ['postgresql', 'mariadb'] as const) {
  describe(`access on ${name}`, needs(name), () => {
    let server: DatabaseServer
    let dir: Awaited<ReturnType<typeof tempDir>>
    before(async () => {
      dir = await tempDir()
      server = await startService(name)
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    })
    const openAt = async (url: string) =>
      openSqlAccess(
        await configWith(dir.path, {
          'storage.dir': 'x',
          'db.url': 'sqlite://',
          'pypi.auth': 'sql',
          'auth.db.url': url,
        }),
      )
    const openStore = async () => {
      const url = await server.createDatabase()
      return () => openAt(url)
    }
    const openWith = async (entries: readonly AclEntry[]) => {
      const access = await (await openStore())()
      await access.writer?.load(stream(entries))
      return access
    }
    describeAccess(`sql on ${name}`, openWith, {
      'takes names of 10,000 characters': 'the columns of pypicloud have room for 255',
    })
    describeAccessWriter(`sql on ${name}`, openStore)
    describeTokenStore(`sql on ${name}`, openStore)

    const takenOver = async () => {
      const url = await server.createDatabase()
      await using client = await sqlClient(url)
      await client.run(await readFile(join(fixtures, 'sql', `access.${name}.sql`), 'utf8'))
      return url
    }

    it("of pypicloud lets every user in and wrong passwords out, and keeps pypicloud's rows", async () => {
      const url = await takenOver()
      await using client = await sqlClient(url)
      const users = await client.run('SELECT * FROM pypicloud_users ORDER BY username')
      await using access = await openAt(url)
      await letsEveryUserIn(access)
      assert.equal(await access.findAccount('Ada'), undefined)
      assert.equal(await access.writer?.needsAdmin(), false)
      assert.deepEqual(await access.listGroups(), ['devs', 'empty-group', 'ops'])
      assert.deepEqual(await access.listGroupsOf('bob'), ['devs'])
      const rules = await access.getRules('not-normalised-name')
      assert.deepEqual([...rules.users.keys()], ['frank'])
      assert.equal(await access.allowsRegistration(), true)
      const entries: AclEntry[] = []
      for await (const entry of access.exportEntries()) entries.push(entry)
      const report = await access.writer!.load(stream(entries))
      assert.equal(report.usersAdded + report.groupsAdded + report.membersAdded + report.grantsAdded, 0)
      assert.deepEqual(report.notices, [])
      assert.deepEqual(await client.run('SELECT * FROM pypicloud_users ORDER BY username'), users)
    })

    it('of pypicloud believes no right that was given and taken back within a moment', async () => {
      const url = await takenOver()
      await using client = await sqlClient(url)
      await using access = await openAt(url)
      const mayRead = async () => {
        const token = await access.changeToken()
        return rights.get(token, 'bob', async () => (await access.getRules('a-lib')).users)
      }
      const rights = new Memo<ReadonlyMap<string, unknown>>(10)
      const keys = 'package, username, "read", "write"'
      const insert = `INSERT INTO pypicloud_user_permissions (${keys}) VALUES ('a-lib', 'bob', TRUE, FALSE)`
      await access.changeToken() // what it knows now is taken for new for a second
      await client.run(name === 'mariadb' ? insert.replaceAll('"', '`') : insert)
      const given = (await mayRead()).has('bob')
      await client.run(`DELETE FROM pypicloud_user_permissions WHERE package = 'a-lib'`)
      for (let tries = 0; (await mayRead()).has('bob'); tries += 1) {
        assert.ok(tries < 100, `still believed; it was seen: ${given}`)
        await sleep(100)
      }
      await client.run(name === 'mariadb' ? insert.replaceAll('"', '`') : insert)
      for (let tries = 0; !(await mayRead()).has('bob'); tries += 1) {
        assert.ok(tries < 100, 'not seen')
        await sleep(100)
      }
    })

    it('of pypicloud takes API tokens, which end with users that pypicloud deletes', async () => {
      const url = await takenOver()
      await using client = await sqlClient(url)
      await using access = await openAt(url)
      const {text} = await createToken(access, {owner: 'bob', name: '🔑'})
      await createToken(access, {owner: 'ada'})
      assert.equal((await access.tokens?.find(text.slice(4, 14)))?.name, '🔑')
      await client.run(`DELETE FROM pypicloud_users WHERE username = 'bob'`)
      await client.run(`INSERT INTO pypicloud_users VALUES ('bob', 'x', FALSE, FALSE)`)
      assert.deepEqual(
        (await access.tokens?.list())?.map(({owner}) => owner),
        ['ada'],
      )
    })

    it('of pypicloud takes rules for everybody, and refuses them for nobody', async () => {
      const url = await takenOver()
      await using access = await openAt(url)
      await access.writer?.grant('Some_Lib', {group: 'everyone'}, 'read')
      await access.writer?.grant('some-lib', {group: 'authenticated'}, 'write')
      assert.deepEqual([...(await access.getRules('some-lib')).groups.keys()].sort(), [
        'authenticated',
        'everyone',
      ])
      assert.deepEqual(await access.listGroups(), ['devs', 'empty-group', 'ops'])
      const ghost = access.writer!.grant('some-lib', {user: 'ghost'}, 'read')
      await assert.rejects(ghost, {code: 'PPC_NOT_FOUND', message: 'there is no user "ghost"'})
      await using client = await sqlClient(url)
      const stored = await client.run("SELECT * FROM pypicloud_group_permissions WHERE package = 'some-lib'")
      assert.equal(stored.length, 2)
    })

    it('shows within a second what others revoke', async () => {
      const url = await takenOver()
      await using access = await openAt(url)
      await using client = await sqlClient(url)
      const token = await access.changeToken()
      await client.run("DELETE FROM pypicloud_user_permissions WHERE username = 'frank'")
      await new Promise(resolve => setTimeout(resolve, 1000))
      assert.notEqual(await access.changeToken(), token)
      assert.equal((await access.getRules('not-normalised-name')).users.size, 0)
    })
  })
}
