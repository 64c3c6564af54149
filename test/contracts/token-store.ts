import assert from 'node:assert/strict'
import {afterEach, describe, it} from 'node:test'
import type {Access, AccessWriter, AclEntry} from '../../src/lib/access/access.js'
import type {ApiToken, TokenStore, TokenWriter} from '../../src/lib/access/api-tokens/api-token.js'

const passwordHash = '$6$rounds=1000$PhN21P3zim8aKqPW$x'
const token = (id: string, more: Partial<ApiToken> = {}): ApiToken => ({
  id: id.padEnd(10, '0'),
  sha256: 'ab'.repeat(32),
  owner: 'bob',
  name: '',
  scopes: ['read'],
  projects: [],
  created: '2026-01-02T03:04:05Z',
  expires: null,
  ...more,
})
const full = token('full', {
  name: "ünï 🔑 50% o'brien",
  scopes: ['read', 'upload', 'delete', 'admin'],
  projects: ['acme-*', 'tool'],
  expires: '2099-01-01T00:00:00Z',
})

type Opened = Access & {writer: AccessWriter; tokens: TokenStore & {writer: TokenWriter}}
const tokensOf = async (access: Access): Promise<AclEntry[]> => {
  const entries: AclEntry[] = []
  for await (const entry of access.exportEntries()) if (entry.kind === 'token') entries.push(entry)
  return entries
}
async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

/**
 * The laws of keeping API tokens, for backends whose users can be written. `openStore` makes an empty store; what it
 * returns opens it, several times at once if asked. What was opened is closed here.
 */
export function describeTokenStore(
  name: string,
  openStore: () => Promise<() => Promise<Access>>,
  excused: Readonly<Record<string, string>> = {},
): void {
  describe(`${name} keeps API tokens`, () => {
    const law = (title: string, check: () => Promise<void>) =>
      it(title, {skip: excused[title] ?? false}, check)
    const opened: Access[] = []
    /** Two openers of one store with the users bob and ada. */
    const openTwice = async (): Promise<[one: Opened, other: Opened]> => {
      const open = await openStore()
      const next = async () => {
        const access = await open()
        opened.push(access)
        assert.ok(access.tokens?.writer)
        return access as Opened
      }
      const both: [Opened, Opened] = [await next(), await next()]
      for (const username of ['ada', 'bob']) {
        await both[0].writer.addAccount({username, passwordHash, admin: false, pending: false})
      }
      return both
    }
    afterEach(async () => {
      for (const access of opened.splice(0)) await access[Symbol.asyncDispose]()
    })

    law('gives back what it was given, to all who have it open', async () => {
      const [one, other] = await openTwice()
      assert.equal(await other.tokens.find(full.id), undefined)
      assert.deepEqual(await other.tokens.list(), [])
      assert.deepEqual(await tokensOf(other), [])
      const change = await other.changeToken()
      await one.tokens.writer.add(full)
      await one.tokens.writer.add(token('plain'))
      assert.notEqual(await other.changeToken(), change)
      assert.deepEqual(await other.tokens.find(full.id), {...full, lastUsed: null})
      assert.deepEqual(await other.tokens.find('plain00000'), {...token('plain'), lastUsed: null})
    })
    law('finds none under other ids', async () => {
      const [one] = await openTwice()
      await one.tokens.writer.add(full)
      for (const id of [
        '',
        'FULL000000',
        'full',
        '%',
        'full00000%',
        '__proto__',
        'a\0b',
        'x'.repeat(10_000),
      ]) {
        assert.equal(await one.tokens.find(id), undefined, id.slice(0, 20))
        assert.equal(await one.tokens.writer.revoke(id), false)
      }
    })
    law('lists them by owner and age', async () => {
      const [one] = await openTwice()
      await one.tokens.writer.add(token('c', {created: '2026-01-01T00:00:03Z'}))
      await one.tokens.writer.add(token('b', {created: '2026-01-01T00:00:03Z'}))
      await one.tokens.writer.add(token('d', {created: '2026-01-01T00:00:01Z'}))
      await one.tokens.writer.add(token('a', {owner: 'ada', created: '2026-01-01T00:00:09Z'}))
      const ids = (tokens: readonly {id: string}[]) => tokens.map(({id}) => id.charAt(0)).join('')
      assert.equal(ids(await one.tokens.list()), 'adbc')
      assert.equal(ids(await one.tokens.list('bob')), 'dbc')
      assert.equal(ids(await one.tokens.list('nobody')), '')
      assert.equal(ids((await tokensOf(one)) as never), 'abcd')
    })
    law('takes none of nobody, and none twice', async () => {
      const [one, other] = await openTwice()
      await assert.rejects(one.tokens.writer.add(token('a', {owner: 'ghost'})), {code: 'PPC_NOT_FOUND'})
      await assert.rejects(one.tokens.writer.add(token('a', {owner: 'BOB'})), {code: 'PPC_NOT_FOUND'})
      await one.tokens.writer.add(token('a'))
      await assert.rejects(other.tokens.writer.add(token('a', {owner: 'ada'})), {code: 'PPC_ALREADY_EXISTS'})
      assert.deepEqual(await one.tokens.list(), [{...token('a'), lastUsed: null}])
    })
    law('revokes them for all who have it open', async () => {
      const [one, other] = await openTwice()
      await one.tokens.writer.add(token('a'))
      await one.tokens.writer.add(token('b'))
      assert.ok(await other.tokens.find('a000000000'))
      const change = await other.changeToken()
      assert.equal(await one.tokens.writer.revoke('a000000000'), true)
      assert.notEqual(await other.changeToken(), change)
      assert.equal(await other.tokens.find('a000000000'), undefined)
      assert.equal(await other.tokens.writer.revoke('a000000000'), false)
      assert.equal((await other.tokens.list()).length, 1)
    })
    law('drops them with their owner, and the next one of that name has none', async () => {
      const [one] = await openTwice()
      await one.tokens.writer.add(token('a'))
      await one.tokens.writer.add(token('b', {owner: 'ada'}))
      await one.writer.deleteUser('bob')
      await one.writer.addAccount({username: 'bob', passwordHash, admin: false, pending: false})
      assert.equal(await one.tokens.find('a000000000'), undefined)
      assert.deepEqual(
        (await one.tokens.list()).map(({owner}) => owner),
        ['ada'],
      )
    })
    law('remembers the latest use', async () => {
      const [one, other] = await openTwice()
      await one.tokens.writer.noteUses(new Map([['a000000000', '2026-05-05T05:05:05Z']]))
      await one.tokens.writer.add(token('a'))
      await one.tokens.writer.add(token('b'))
      await one.tokens.writer.noteUses(
        new Map([
          ['a000000000', '2026-05-05T05:05:05Z'],
          ['ghost00000', '2026-05-05T05:05:05Z'],
        ]),
      )
      await other.tokens.writer.noteUses(new Map([['a000000000', '2026-04-04T04:04:04Z']]))
      assert.equal((await one.tokens.find('a000000000'))?.lastUsed, '2026-05-05T05:05:05Z')
      assert.equal((await one.tokens.find('b000000000'))?.lastUsed, null)
      assert.deepEqual(await tokensOf(one), [
        {kind: 'token', ...token('a')},
        {kind: 'token', ...token('b')},
      ])
    })
    law('loses none of many at once', async () => {
      const [one, other] = await openTwice()
      const ids = Array.from({length: 20}, (_, index) => `many${String(index).padStart(6, '0')}`)
      await Promise.all(
        ids.map((id, index) =>
          (index % 2 ? one : other).tokens.writer.add(token(id, {owner: index % 3 ? 'ada' : 'bob'})),
        ),
      )
      assert.deepEqual((await one.tokens.list()).map(({id}) => id).sort(), ids)
    })
    law('takes them from a dump, once, and keeps what is there', async () => {
      const [one, other] = await openTwice()
      await one.tokens.writer.add(token('mine', {name: 'mine'}))
      const dump: AclEntry[] = [
        {kind: 'token', ...token('mine', {name: 'theirs'})},
        {kind: 'token', ...full},
        {kind: 'token', ...token('orphan', {owner: 'ghost'})},
        {kind: 'token', ...token('new', {owner: 'zoe'})},
        {kind: 'user', username: 'zoe', admin: false, passwordHash},
      ]
      const dry = await one.writer.load(stream(dump), {dryRun: true})
      assert.equal((await one.tokens.list()).length, 1)
      const report = await one.writer.load(stream(dump))
      assert.deepEqual(dry, report)
      assert.equal(report.tokensAdded, 2)
      assert.equal(report.notices.length, 1)
      assert.match(report.notices[0] ?? '', /"orphan0000" of "ghost" was left out/)
      assert.deepEqual(await tokensOf(other), [
        {kind: 'token', ...full},
        {kind: 'token', ...token('mine', {name: 'mine'})},
        {kind: 'token', ...token('new', {owner: 'zoe'})},
      ])
      assert.equal((await other.writer.load(stream(dump))).tokensAdded, 0)
    })
    law('tells what a dump would bring to a store without any', async () => {
      const [one] = await openTwice()
      const dump: AclEntry[] = [{kind: 'token', ...full}]
      const dry = await one.writer.load(stream(dump), {dryRun: true})
      assert.equal(dry.tokensAdded, 1)
      assert.deepEqual(await one.tokens.list(), [])
      assert.deepEqual(await one.writer.load(stream(dump)), dry)
      await assert.rejects(one.writer.load(stream([...dump, ...dump])), {code: 'PPC_INVALID_INPUT'})
    })
    law('makes them equal to those of a dump by a prune, and keeps when they were used', async () => {
      const [one, other] = await openTwice()
      const used = '2026-05-05T05:05:05Z'
      const kept = token('kept', {name: 'kept'})
      for (const stored of [
        kept,
        token('less', {scopes: ['read', 'admin']}),
        token('gone'),
        token('given'),
      ]) {
        await one.tokens.writer.add(stored)
      }
      await one.tokens.writer.noteUses(new Map(['kept', 'less'].map(id => [id.padEnd(10, '0'), used])))
      const users = ['ada', 'bob'].map((username): AclEntry => ({
        kind: 'user',
        username,
        admin: false,
        passwordHash,
      }))
      const tokens = [
        token('given', {owner: 'ada'}),
        full,
        kept,
        token('less', {projects: ['acme-*'], expires: '2026-01-03T00:00:00Z', name: 'ünï'}),
      ]
      const dump = [...users, ...tokens.map((each): AclEntry => ({kind: 'token', ...each}))]
      const dry = await one.writer.load(stream(dump), {prune: true, maxNames: 9, dryRun: true})
      assert.equal((await other.tokens.list()).length, 4)
      const change = await other.changeToken()
      const report = await one.writer.load(stream(dump), {prune: true, maxNames: 9})
      assert.deepEqual(report, dry)
      assert.notEqual(await other.changeToken(), change)
      assert.deepEqual(
        report.differences.map(({change: what, names}) => `${what} ${[...names].sort().join(', ')}`).sort(),
        [
          'added full000000 of bob, given00000 of ada',
          'changed less000000 of bob',
          'removed given00000 of bob, gone000000 of bob',
        ].sort(),
      )
      assert.deepEqual(await tokensOf(other), dump.slice(2))
      assert.equal((await other.tokens.find('kept000000'))?.lastUsed, used)
      assert.equal((await other.tokens.find('less000000'))?.lastUsed, used)
      assert.equal((await other.tokens.find('given00000'))?.lastUsed, null)
      assert.deepEqual((await other.writer.load(stream(dump), {prune: true})).differences, [])
      await one.writer.load(stream(users), {prune: true})
      assert.deepEqual(await other.tokens.list(), [])
    })
    law('drops them by a prune with owners whom the dump lacks', async () => {
      const [one, other] = await openTwice()
      await one.tokens.writer.add(token('a'))
      const ada: AclEntry = {kind: 'user', username: 'ada', admin: true, passwordHash}
      const report = await one.writer.load(stream([ada, {kind: 'token', ...token('a')}]), {prune: true})
      assert.match(report.notices.join(), /"a000000000" of "bob" was left out/)
      assert.deepEqual(await other.tokens.list(), [])
      await one.writer.addAccount({username: 'bob', passwordHash, admin: false, pending: false})
      assert.deepEqual(await other.tokens.list(), [])
    })
  })
}
