import assert from 'node:assert/strict'
import {after, afterEach, before, describe, it} from 'node:test'
import type {Access, AccessWriter, AclEntry, Grant} from '../../src/lib/access/access.js'

type Laws = (title: string, check: () => Promise<void>) => void
const lawsOf =
  (excused: Readonly<Record<string, string>>): Laws =>
  (title, check) =>
    it(title, {skip: excused[title] ?? false}, check)

const hash =
  '$6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11'
/** Names that have hurt somebody; none holds what a line of a configuration file or a list in it can't. */
const oddNames = ['__proto__', 'constructor', 'toString', 'ünï-🔑', '50%', "o'brien", 'a"b', 'NULL']

const user = (username: string, admin = false): AclEntry => ({
  kind: 'user',
  username,
  admin,
  passwordHash: hash,
})
const member = (group: string, username: string): AclEntry => ({kind: 'member', group, username})
const grant = (
  project: string,
  principal: Grant['principal'],
  permissions: Grant['permissions'],
): AclEntry => ({kind: 'grant', project, principal, permissions})

/** In the order of a dump, users by name. */
const sample: readonly AclEntry[] = [
  {kind: 'registration', allowed: false},
  {kind: 'group', name: 'devs'},
  member('devs', 'bob'),
  member('devs', 'carol'),
  {kind: 'group', name: 'nobody'},
  user('ada', true),
  user('bob'),
  user('carol'),
  user('svc.build@example.com'),
  grant('private-tool', {user: 'bob'}, ['read', 'write']),
  grant('shut', {user: 'carol'}, []),
  grant('Two_Ways', {user: 'bob'}, ['read']),
  grant('two-ways', {user: 'bob'}, ['write']),
  grant('open-lib', {group: 'authenticated'}, ['read', 'write']),
  grant('open-lib', {group: 'everyone'}, ['read']),
  grant('private-tool', {group: 'devs'}, ['write']),
  grant('two--ways', {group: 'devs'}, ['read']),
]

const all = async (entries: AsyncIterable<AclEntry>): Promise<AclEntry[]> => {
  const list: AclEntry[] = []
  for await (const entry of entries) list.push(entry)
  return list
}
const sorted = (entries: readonly AclEntry[]): string[] => entries.map(entry => JSON.stringify(entry)).sort()
const listOf = <T>(map: ReadonlyMap<string, ReadonlySet<T>>) =>
  Object.fromEntries([...map].map(([name, permissions]) => [name, [...permissions].sort()]))

/**
 * The laws of reading. `open` makes a backend that holds these entries and nothing else; it is closed here. `excused`
 * maps a law to the reason why it can't hold. With `hidesHashes`, `verifyPassword` knows what no account shows.
 */
export function describeAccess(
  name: string,
  open: (entries: readonly AclEntry[]) => Promise<Access>,
  excused: Readonly<Record<string, string>> = {},
  {hidesHashes = false} = {},
): void {
  describe(`${name} is an Access`, () => {
    const law = lawsOf(excused)
    const shown = (entries: readonly AclEntry[]) =>
      entries.map(entry => (hidesHashes && 'passwordHash' in entry ? {...entry, passwordHash: null} : entry))
    let access: Access
    before(async () => {
      access = await open(sample)
    })
    after(() => access[Symbol.asyncDispose]())

    law('finds accounts by their exact name', async () => {
      assert.deepEqual(await access.findAccount('ada'), {
        username: 'ada',
        admin: true,
        pending: false,
        ...(!hidesHashes && {passwordHash: hash}),
      })
      assert.equal((await access.findAccount('svc.build@example.com'))?.admin, false)
    })
    law('finds nobody under names that act as patterns or code elsewhere', async () => {
      const odd = [
        '',
        'nobody',
        '%',
        '*',
        'a*',
        '__proto__',
        'constructor',
        "' OR 1=1 --",
        '*)(uid=*',
        '..',
        'a\0b',
      ]
      for (const unknown of [
        ...odd,
        'ädä',
        'a:b',
        'a\nb',
        'ada,ou=people',
        'ada)(&',
        'x'.repeat(100_000),
        '🔑',
      ]) {
        assert.equal(await access.findAccount(unknown), undefined, unknown.slice(0, 100))
      }
    })
    law('tells names apart that differ in case or blanks only', async () => {
      for (const unknown of ['Ada', 'ada ', ' ada']) {
        assert.equal(await access.findAccount(unknown), undefined, unknown)
      }
    })
    law('knows groups from both sides', async () => {
      assert.deepEqual(await access.listGroupsOf('bob'), ['devs'])
      assert.deepEqual(await access.listGroupsOf('ada'), [])
      assert.deepEqual(await access.listGroupsOf('__proto__'), [])
      assert.deepEqual(await access.listMembers('devs'), ['bob', 'carol'])
      assert.deepEqual(await access.listMembers('nobody'), [])
      assert.deepEqual(await access.listMembers('constructor'), [])
    })
    law('lists users and groups by name, never the special groups', async () => {
      assert.deepEqual(await access.listUsers(), [
        {username: 'ada', admin: true},
        {username: 'bob', admin: false},
        {username: 'carol', admin: false},
        {username: 'svc.build@example.com', admin: false},
      ])
      assert.deepEqual(await access.listGroups(), ['devs', 'nobody'])
    })
    law('merges the rules of all spellings of a project', async () => {
      for (const spelling of ['two-ways', 'Two_Ways', 'two..ways']) {
        const rules = await access.getRules(spelling)
        assert.deepEqual(listOf(rules.users), {bob: ['read', 'write']}, spelling)
        assert.deepEqual(listOf(rules.groups), {devs: ['read']}, spelling)
      }
    })
    law('keeps rules for special groups and rules that give nothing', async () => {
      const open = await access.getRules('open-lib')
      assert.deepEqual(listOf(open.groups), {authenticated: ['read', 'write'], everyone: ['read']})
      assert.deepEqual(listOf((await access.getRules('shut')).users), {carol: []})
      const none = await access.getRules('constructor')
      assert.equal(none.users.size + none.groups.size, 0)
    })
    law('lists the projects that have rules, normalised', async () => {
      assert.deepEqual([...((await access.listRuledProjects()) ?? [])].sort(), [
        'open-lib',
        'private-tool',
        'shut',
        'two-ways',
      ])
    })
    law('lists what a user or a group was granted', async () => {
      const grants = await access.listGrants({user: 'bob'})
      assert.deepEqual(grants.map(({project}) => project).sort(), ['Two_Ways', 'private-tool', 'two-ways'])
      assert.deepEqual(await access.listGrants({group: 'everyone'}), [
        {project: 'open-lib', principal: {group: 'everyone'}, permissions: ['read']},
      ])
      assert.deepEqual(await access.listGrants({user: 'devs'}), [])
    })
    law('exports everything, in the order of a dump', async () => {
      const entries = await all(access.exportEntries())
      assert.deepEqual(sorted(entries), sorted(shown(sample)))
      const rank = (entry: AclEntry) => {
        if (entry.kind !== 'grant')
          return ['registration', 'group', 'user', '', '', 'pending'].indexOf(entry.kind)
        return 'user' in entry.principal ? 3 : 4
      }
      const ranks = entries.filter(({kind}) => kind !== 'member').map(rank)
      assert.deepEqual(
        ranks,
        [...ranks].sort((a, b) => a - b),
      )
      let group: string | undefined
      const projects: string[] = []
      for (const entry of entries) {
        if (entry.kind === 'group') group = entry.name
        if (entry.kind === 'member') assert.equal(entry.group, group)
        if (entry.kind === 'grant') {
          const project = `${rank(entry)} ${entry.project}`
          if (projects.at(-1) !== project) projects.push(project)
        }
      }
      assert.equal(new Set(projects).size, projects.length)
    })
    law('has one change token while nothing changes', async () => {
      const isSame = async () => {
        const token = await access.changeToken()
        await access.getRules('open-lib')
        await access.findAccount('ada')
        return (await access.changeToken()) === token
      }
      // another one for no reason, as after a commit elsewhere on the server, is allowed now and then
      assert.ok((await isSame()) || (await isSame()) || (await isSame()))
    })
    law('is in order', async () => {
      await access.check()
      assert.deepEqual(await access.listOrphans(), [])
    })
    const takes = async (names: readonly string[]) => {
      const entries: AclEntry[] = [
        {kind: 'registration', allowed: false},
        ...names.flatMap((name): AclEntry[] => [{kind: 'group', name}, member(name, name)]),
        ...names.map(name => user(name)),
        ...names.map(name => grant(name, {user: name}, ['read'])),
      ]
      const odd = await open(entries)
      try {
        for (const name of names) {
          assert.equal((await odd.findAccount(name))?.username, name)
          assert.deepEqual(await odd.listGroupsOf(name), [name])
          assert.deepEqual(listOf((await odd.getRules(name)).users), Object.fromEntries([[name, ['read']]]))
        }
        assert.deepEqual(sorted(await all(odd.exportEntries())), sorted(shown(entries)))
      } finally {
        await odd[Symbol.asyncDispose]()
      }
    }
    law('takes odd names for what they are', () => takes(oddNames))
    law('takes names of 10,000 characters', () => takes(['x'.repeat(10_000)]))
    law('can be closed twice', async () => {
      const twice = await open([])
      await twice[Symbol.asyncDispose]()
      await twice[Symbol.asyncDispose]()
    })
  })
}

/**
 * The laws of writing. `openStore` makes an empty store; what it returns opens it, several times at once if asked.
 * What was opened is closed here.
 */
export function describeAccessWriter(
  name: string,
  openStore: () => Promise<() => Promise<Access>>,
  excused: Readonly<Record<string, string>> = {},
): void {
  describe(`${name} has an AccessWriter`, () => {
    const law = lawsOf(excused)
    const opened: Access[] = []
    const openTwice = async () => {
      const open = await openStore()
      const next = async (): Promise<Access & {writer: AccessWriter}> => {
        const access = await open()
        opened.push(access)
        assert.ok(access.writer)
        return access as Access & {writer: AccessWriter}
      }
      const one = await next()
      return {one, other: await next(), next}
    }
    afterEach(async () => {
      for (const access of opened.splice(0)) await access[Symbol.asyncDispose]()
    })
    const account = (username: string, more: {admin?: boolean; pending?: boolean} = {}) => ({
      username,
      passwordHash: hash,
      admin: more.admin ?? false,
      pending: more.pending ?? false,
    })
    async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
      yield* await Promise.resolve(entries)
    }

    law('adds, approves and deletes accounts, for all who have it open', async () => {
      const {one, other} = await openTwice()
      await one.writer.addAccount(account('bob', {pending: true}))
      assert.deepEqual(await other.findAccount('bob'), {...account('bob', {pending: true})})
      assert.deepEqual(await other.listUsers(), [])
      assert.deepEqual(await other.writer.listPending(), ['bob'])
      const token = await other.changeToken()
      await one.writer.approve('bob')
      assert.notEqual(await other.changeToken(), token)
      assert.deepEqual(await other.listUsers(), [{username: 'bob', admin: false}])
      await assert.rejects(other.writer.addAccount(account('bob')), {code: 'PPC_ALREADY_EXISTS'})
      await other.writer.deleteUser('bob')
      assert.equal(await one.findAccount('bob'), undefined)
      for (const nothing of [one.writer.approve('ghost'), one.writer.deleteUser('ghost')]) await nothing
    })
    law('refuses names that nobody could use', async () => {
      const {one} = await openTwice()
      for (const username of ['__token__', 'a:b', '', ' ', 'a\0b', 'a\nb']) {
        await assert.rejects(one.writer.addAccount(account(username)), {code: 'PPC_INVALID_INPUT'}, username)
      }
      for (const group of ['admin', 'everyone', 'authenticated', '']) {
        await assert.rejects(one.writer.createGroup(group), {code: 'PPC_INVALID_INPUT'}, group)
      }
      assert.deepEqual(await one.listUsers(), [])
    })
    law('replaces a password only where it is still the expected one', async () => {
      const {one, other} = await openTwice()
      await one.writer.addAccount(account('bob'))
      assert.equal(await one.writer.setPasswordHash('bob', 'new', 'other'), false)
      assert.equal(await one.writer.setPasswordHash('bob', 'new', hash), true)
      assert.equal((await other.findAccount('bob'))?.passwordHash, 'new')
      assert.equal(await one.writer.setPasswordHash('ghost', 'new'), false)
    })
    law('lets one stranger be the first administrator, once for ever', async () => {
      const {one, other} = await openTwice()
      assert.equal(await one.writer.needsAdmin(), true)
      const claims = await Promise.all([
        one.writer.claimFirstAdmin('ada', hash),
        other.writer.claimFirstAdmin('eve', hash),
        one.writer.claimFirstAdmin('mallory', hash),
      ])
      assert.equal(claims.filter(Boolean).length, 1)
      const users = await one.listUsers()
      assert.equal(users.length, 1)
      assert.equal(users[0]?.admin, true)
      await other.writer.deleteUser(users[0].username)
      assert.deepEqual(await one.listUsers(), [])
      assert.equal(await one.writer.needsAdmin(), false)
      assert.equal(await one.writer.claimFirstAdmin('eve', hash), false)
      assert.equal(await one.findAccount('eve'), undefined)
    })
    law('remembers administrators that came otherwise', async () => {
      for (const make of [
        (writer: AccessWriter) => writer.addAccount(account('ada', {admin: true})),
        async (writer: AccessWriter) => {
          await writer.addAccount(account('ada'))
          assert.equal(await writer.needsAdmin(), true)
          await writer.setAdmin('ada', true)
        },
        (writer: AccessWriter) => writer.load(stream([user('ada', true)])),
      ]) {
        const {one} = await openTwice()
        await make(one.writer)
        await one.writer.setAdmin('ada', false)
        assert.equal((await one.findAccount('ada'))?.admin, false)
        assert.equal(await one.writer.claimFirstAdmin('eve', hash), false)
      }
    })
    law('keeps groups and their members', async () => {
      const {one, other} = await openTwice()
      await one.writer.addAccount(account('bob'))
      await one.writer.createGroup('devs')
      await assert.rejects(other.writer.createGroup('devs'), {code: 'PPC_ALREADY_EXISTS'})
      await one.writer.addMember('devs', 'bob')
      await one.writer.addMember('devs', 'bob')
      await one.writer.addMember('devs', 'ghost')
      await one.writer.addMember('ghosts', 'bob')
      assert.deepEqual(await other.listMembers('devs'), ['bob'])
      assert.deepEqual(await other.listGroupsOf('bob'), ['devs'])
      await one.writer.removeMember('devs', 'bob')
      await one.writer.removeMember('devs', 'bob')
      assert.deepEqual(await other.listMembers('devs'), [])
      await one.writer.deleteGroup('devs')
      await one.writer.deleteGroup('ghosts')
      assert.deepEqual(await other.listGroups(), [])
    })
    law('grants and revokes one permission at a time', async () => {
      const {one, other} = await openTwice()
      await one.writer.addAccount(account('bob'))
      const bob = {user: 'bob'}
      await one.writer.grant('Foo.Bar', bob, 'read')
      await one.writer.grant('foo-bar', bob, 'write')
      await one.writer.grant('foo-bar', bob, 'write')
      await one.writer.grant('foo-bar', {group: 'everyone'}, 'read')
      assert.deepEqual(listOf((await other.getRules('foo-bar')).users), {bob: ['read', 'write']})
      assert.deepEqual(listOf((await other.getRules('foo-bar')).groups), {everyone: ['read']})
      await one.writer.revoke('foo_bar', bob, 'read')
      assert.deepEqual(listOf((await other.getRules('foo-bar')).users), {bob: ['write']})
      await one.writer.revoke('foo_bar', bob, 'read')
      await one.writer.revoke('foo_bar', bob, 'write')
      await one.writer.revoke('ghost', bob, 'write')
      assert.equal((await other.getRules('foo-bar')).users.size, 0)
      await one.writer.revoke('foo-bar', {group: 'everyone'}, 'read')
      assert.deepEqual([...((await other.listRuledProjects()) ?? [])], [])
    })
    law('revokes every spelling that an import brought', async () => {
      const {one} = await openTwice()
      await one.writer.load(
        stream([
          user('bob'),
          user('carol'),
          grant('Foo_Bar', {user: 'bob'}, ['read', 'write']),
          grant('foo.bar', {user: 'bob'}, ['read']),
          grant('Foo_Bar', {user: 'carol'}, ['read']),
        ]),
      )
      await one.writer.revoke('foo-bar', {user: 'bob'}, 'read')
      assert.deepEqual(listOf((await one.getRules('foo-bar')).users), {bob: ['write'], carol: ['read']})
    })
    law('deletes rules and memberships with users and groups, and nobody inherits them', async () => {
      const {one} = await openTwice()
      await one.writer.addAccount(account('bob'))
      await one.writer.createGroup('devs')
      await one.writer.addMember('devs', 'bob')
      await one.writer.grant('tool', {user: 'bob'}, 'read')
      await one.writer.grant('tool', {group: 'devs'}, 'read')
      await one.writer.deleteUser('bob')
      await one.writer.deleteGroup('devs')
      await one.writer.addAccount(account('bob'))
      await one.writer.createGroup('devs')
      assert.deepEqual(await one.listGroupsOf('bob'), [])
      assert.deepEqual(await one.listMembers('devs'), [])
      const rules = await one.getRules('tool')
      assert.equal(rules.users.size + rules.groups.size, 0)
      assert.deepEqual([...((await one.listRuledProjects()) ?? [])], [])
    })
    law('switches registration on and off', async () => {
      const {one, other} = await openTwice()
      assert.equal(await one.allowsRegistration(), false)
      await one.writer.setRegistration(true)
      await one.writer.setRegistration(true)
      assert.equal(await other.allowsRegistration(), true)
      await one.writer.setRegistration(false)
      assert.equal(await other.allowsRegistration(), false)
    })
    law('loses none of many writes at once', async () => {
      const {one, other} = await openTwice()
      const names = Array.from({length: 40}, (_, index) => `user-${String(index).padStart(2, '0')}`)
      await Promise.all(
        names.flatMap((username, index) => {
          const {writer} = index % 2 ? one : other
          return [writer.addAccount(account(username)), writer.grant('tool', {group: 'everyone'}, 'read')]
        }),
      )
      assert.deepEqual(
        (await one.listUsers()).map(({username}) => username),
        names,
      )
    })

    const dump: readonly AclEntry[] = [
      ...sample.filter(({kind}) => kind !== 'registration'),
      {kind: 'pending', username: 'pat', passwordHash: hash},
      {kind: 'registration', allowed: true},
    ]
    law('loads a dump in any order, and the same again changes nothing', async () => {
      const {one, other} = await openTwice()
      const report = await one.writer.load(stream([...dump].reverse()))
      const {differences, ...counted} = report
      assert.deepEqual(
        Object.fromEntries(differences.map(({change, kind, count}) => [`${change} ${kind}`, count])),
        {
          'added user': 4,
          'added pending user': 1,
          'added group': 2,
          'added member': 2,
          'added rule': 8,
          'changed registration': 1,
        },
      )
      assert.deepEqual(counted, {
        usersAdded: 4,
        usersKept: 0,
        pendingAdded: 1,
        adminsChanged: [],
        groupsAdded: 2,
        membersAdded: 2,
        grantsAdded: 10,
        tokensAdded: 0,
        registrationChanged: true,
        notices: [],
      })
      assert.deepEqual(sorted(await all(other.exportEntries())), sorted(dump))
      const again = await other.writer.load(stream(dump))
      assert.deepEqual(again, {
        ...report,
        usersAdded: 0,
        usersKept: 4,
        pendingAdded: 0,
        groupsAdded: 0,
        membersAdded: 0,
        grantsAdded: 0,
        registrationChanged: false,
        differences: [],
      })
      assert.deepEqual(sorted(await all(one.exportEntries())), sorted(dump))
    })
    law(
      'takes over the administrator flag, and keeps passwords, rules and whoever else is there',
      async () => {
        const {one} = await openTwice()
        await one.writer.addAccount({...account('bob', {admin: true}), passwordHash: 'mine'})
        await one.writer.addAccount(account('zoe'))
        await one.writer.grant('private-tool', {user: 'zoe'}, 'read')
        await one.writer.grant('private-tool', {user: 'bob'}, 'read')
        const report = await one.writer.load(stream(dump))
        assert.deepEqual(report.adminsChanged, ['bob'])
        assert.equal(report.usersKept, 1)
        assert.equal(report.grantsAdded, 9)
        assert.deepEqual(await one.findAccount('bob'), {...account('bob'), passwordHash: 'mine'})
        assert.deepEqual(listOf((await one.getRules('private-tool')).users), {
          bob: ['read', 'write'],
          zoe: ['read'],
        })
      },
    )
    law('tells what a load would do without doing it', async () => {
      const {one, other} = await openTwice()
      const report = await one.writer.load(stream(dump), {dryRun: true})
      assert.equal(report.usersAdded, 4)
      assert.deepEqual(await all(other.exportEntries()), [{kind: 'registration', allowed: false}])
      assert.deepEqual(await one.writer.load(stream(dump)), report)
    })
    law('becomes equal to a dump by a prune, in every part, and the same again changes nothing', async () => {
      const {one, other} = await openTwice()
      await one.writer.load(stream(dump))
      const others: readonly AclEntry[] = [
        {kind: 'registration', allowed: false},
        {kind: 'group', name: 'devs'},
        member('devs', 'ada'),
        member('devs', 'carol'),
        {kind: 'group', name: 'ops'},
        {kind: 'user', username: 'ada', admin: true, passwordHash: 'another'},
        user('carol', true),
        user('pat'),
        user('__proto__'),
        grant('private-tool', {user: 'carol'}, ['read']),
        grant('Two_Ways', {user: 'ada'}, []),
        grant('open-lib', {group: 'authenticated'}, ['read']),
        grant('private-tool', {group: 'devs'}, ['read', 'write']),
        {kind: 'pending', username: 'bob', passwordHash: hash},
      ]
      const dry = await one.writer.load(stream(others), {prune: true, maxNames: 9, dryRun: true})
      assert.deepEqual(sorted(await all(other.exportEntries())), sorted(dump))
      const report = await one.writer.load(stream(others), {prune: true, maxNames: 9})
      assert.deepEqual(report, dry)
      assert.deepEqual(sorted(await all(other.exportEntries())), sorted(others))
      assert.deepEqual(await other.listOrphans(), [])
      const removed = report.differences.filter(({change}) => change === 'removed')
      assert.deepEqual(
        Object.fromEntries(removed.map(({kind, names}) => [kind, [...names].sort()]))['group'],
        ['nobody'],
      )
      assert.ok(report.differences.some(({kind, names}) => kind === 'password' && names.includes('ada')))
      const again = await other.writer.load(stream(others), {prune: true})
      assert.deepEqual(again.differences, [])
      assert.deepEqual(again.notices, [])
    })
    law('keeps by a prune the passwords of users for whom the dump has none', async () => {
      const {one} = await openTwice()
      await one.writer.load(stream(dump))
      await one.writer.load(stream([{kind: 'user', username: 'ada', admin: true, passwordHash: null}]), {
        prune: true,
      })
      assert.deepEqual(await one.findAccount('ada'), account('ada', {admin: true}))
      assert.deepEqual(await one.listUsers(), [{username: 'ada', admin: true}])
    })
    law(
      'says when a load leaves nobody who is an administrator, and strangers still can not become it',
      async () => {
        const {one} = await openTwice()
        await one.writer.load(stream(dump))
        const report = await one.writer.load(stream([user('bob')]), {prune: true})
        assert.match(report.notices.join(), /nobody is an administrator/)
        assert.equal(await one.writer.claimFirstAdmin('eve', hash), false)
      },
    )
    law('changes nothing when a dump breaks off', async () => {
      const {one, other} = await openTwice()
      async function* broken() {
        yield* stream(dump)
        throw new Error('connection lost')
      }
      await assert.rejects(one.writer.load(broken()), /connection lost/)
      await assert.rejects(one.writer.load(stream([...dump, user('bob')])), {code: 'PPC_INVALID_INPUT'})
      await assert.rejects(one.writer.load(stream([...dump, {kind: 'group', name: 'devs'}])), {
        code: 'PPC_INVALID_INPUT',
      })
      assert.deepEqual(await all(other.exportEntries()), [{kind: 'registration', allowed: false}])
      assert.equal(await one.writer.needsAdmin(), true)
    })
    law('leaves out what refers to nobody, and says so', async () => {
      const {one} = await openTwice()
      const report = await one.writer.load(
        stream([
          {kind: 'group', name: 'devs'},
          {kind: 'group', name: 'everyone'},
          member('devs', 'ghost'),
          grant('tool', {user: 'ghost'}, ['read']),
          grant('tool', {group: 'ghosts'}, ['read']),
          {kind: 'user', username: 'nopass', admin: false, passwordHash: null},
          user('__token__'),
        ]),
      )
      assert.equal(report.notices.length, 6, report.notices.join('\n'))
      for (const who of ['ghost', 'ghosts', 'nopass', '__token__', 'everyone']) {
        assert.ok(
          report.notices.some(notice => notice.includes(`"${who}"`)),
          who,
        )
      }
      assert.deepEqual(await one.listUsers(), [{username: '__token__', admin: false}])
      assert.deepEqual(await one.listGroups(), ['devs'])
      assert.deepEqual([...((await one.listRuledProjects()) ?? [])], [])
    })
    law('stays readable and writable while a slow dump comes in', async () => {
      const {one, other} = await openTwice()
      let release: () => void = () => undefined
      const waiting = new Promise<void>(resolve => (release = resolve))
      async function* slow() {
        yield* stream(dump)
        await waiting
      }
      const loading = one.writer.load(slow())
      await other.writer.addAccount(account('zoe'))
      assert.deepEqual(await other.listUsers(), [{username: 'zoe', admin: false}])
      release()
      assert.equal((await loading).usersAdded, 4)
      assert.equal((await other.listUsers()).length, 5)
    })
  })
}
