import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import type {Access, AclEntry} from '../../src/lib/access/access.js'
import {openConfigAccess} from '../../src/lib/access/config.js'
import {hashPassword} from '../../src/lib/access/passwords/index.js'
import {anonymous, type Identity} from '../../src/lib/access/identity.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {openSqlAccess} from '../../src/lib/access/sql/sql.js'
import {readConfig, type Config} from '../../src/lib/config/config.js'
import {configWith, tempDir} from '../support/temp.js'

const directories: AsyncDisposable[] = []
after(async () => {
  for (const directory of directories) await directory[Symbol.asyncDispose]()
})
const readLines = async (lines: string): Promise<Config> => {
  const directory = await tempDir()
  directories.push(directory)
  const file = directory.join('server.ini')
  await writeFile(file, `[app:main]\nuse = egg:pypicloud\nstorage.dir = x\ndb.url = sqlite://\n${lines}`)
  return readConfig(file, {environment: {}})
}
const openPolicy = async (lines: string) => {
  const config = await readLines(lines)
  return new AccessPolicy(await openConfigAccess(config), config)
}
const openSql = async (settings: Record<string, string> = {}) => {
  const directory = await tempDir()
  directories.push(directory)
  const config = await configWith(directory.path, {
    'storage.dir': 'x',
    'db.url': 'sqlite://',
    'pypi.auth': 'sql',
    'auth.db.url': `sqlite:///${directory.join('access.db')}`,
    'auth.rounds': '1000',
    ...settings,
  })
  return {config, open: () => openSqlAccess(config)}
}
const as = async (policy: AccessPolicy, username?: string): Promise<Identity> => {
  if (username === undefined) return anonymous
  const identity = await policy.identify(username)
  assert.ok(identity, username)
  return identity
}
const rightsOf = async (policy: AccessPolicy, who: Identity, project: string): Promise<string> => {
  const read = (await policy.can(who, project, 'read')) ? 'r' : ''
  const write = (await policy.can(who, project, 'write')) ? 'w' : ''
  return `${read}${write}` || 'none'
}

describe('the sample of the documentation', () => {
  let policy: AccessPolicy
  before(async () => {
    const hash = async (password: string) => hashPassword(password, {scheme: 'sha256_crypt', rounds: 1000})
    policy = await openPolicy(`
user.stevearc = ${await hash('gunface')}
user.dsa = ${await hash('paranoia')}
user.donlan = ${await hash('osptony')}
user.boss = ${await hash('boss')}
auth.admins = boss
group.sharkfest =
    stevearc
    dsa
group.brotatos =
    donlan
    dsa
package.django_unchained.user.stevearc = rw
package.django_unchained.group.sharkfest = rw
package.polite_requests.user.dsa = rw
package.polite_requests.group.authenticated = r
package.polite_requests.group.brotatos = rw
package.pyramid_head.group.brotatos = rw
package.pyramid_head.group.everyone = r
`)
  })
  const table: Record<string, Record<string, string>> = {
    stevearc: {django_unchained: 'rw', polite_requests: 'r', pyramid_head: 'r'},
    dsa: {django_unchained: 'rw', polite_requests: 'rw', pyramid_head: 'rw'},
    donlan: {django_unchained: 'none', polite_requests: 'rw', pyramid_head: 'rw'},
    everyone: {django_unchained: 'none', polite_requests: 'none', pyramid_head: 'r'},
    boss: {django_unchained: 'rw', polite_requests: 'rw', pyramid_head: 'rw'},
  }
  for (const [username, row] of Object.entries(table)) {
    it(`gives ${username} what its table says, in every spelling`, async () => {
      const who = await as(policy, username === 'everyone' ? undefined : username)
      for (const [project, rights] of Object.entries(row)) {
        for (const spelling of [
          project,
          project.replace('_', '-'),
          project.toUpperCase().replace('_', '.'),
        ]) {
          assert.equal(await rightsOf(policy, who, spelling), rights, spelling)
        }
      }
      const names = Object.keys(row).map(name => name.replace('_', '-'))
      const readable = names.filter((_, index) => Object.values(row)[index] !== 'none')
      assert.deepEqual(await policy.visibleProjects(who, names), readable)
    })
  }
  it('lets its users in with their passwords, and nobody with others', async () => {
    for (const [username, password] of [
      ['stevearc', 'gunface'],
      ['dsa', 'paranoia'],
      ['donlan', 'osptony'],
    ] as const) {
      assert.equal((await policy.authenticate(username, password))?.username, username)
      for (const wrong of ['', 'x', password.toUpperCase(), `${password} `]) {
        assert.equal(await policy.authenticate(username, wrong), undefined)
      }
    }
    assert.equal(await policy.authenticate('ghost', 'gunface'), undefined)
    assert.equal(await policy.authenticate('', ''), undefined)
    assert.equal(await policy.authenticate('__proto__', 'x'), undefined)
  })
})

describe('rules for a pattern of names', () => {
  const rules = `
user.ada = x
user.bob = x
user.carol = x
group.devs = ada
package.Acme_*.group.devs = rw
package.acme-lib.user.bob = r
package.*-public.group.everyone = r
package.acme-shut-*.user.carol =
`
  const names = ['acme', 'acme-lib', 'acme-new', 'acme-x-public', 'other', 'acme-shut-1']
  it('count for all that match, beside their own', async () => {
    const policy = await openPolicy(`${rules}pypi.default_read = authenticated\n`)
    const table: Record<string, readonly string[]> = {
      ada: ['r', 'rw', 'rw', 'rw', 'r', 'rw'],
      bob: ['r', 'r', 'none', 'r', 'r', 'none'],
      everyone: ['none', 'none', 'none', 'r', 'none', 'none'],
    }
    for (const [username, rights] of Object.entries(table)) {
      const who = await as(policy, username === 'everyone' ? undefined : username)
      for (const [index, name] of names.entries()) {
        assert.equal(await rightsOf(policy, who, name), rights[index], `${username} ${name}`)
      }
      assert.equal(await rightsOf(policy, who, 'ACME.New'), rights[2])
      const readable = names.filter((_, index) => rights[index]?.startsWith('r'))
      assert.deepEqual(await policy.visibleProjects(who, names), readable, username)
    }
  })
  it('are told and exported as they are written', async () => {
    const access = await openConfigAccess(await readLines(rules))
    assert.deepEqual(await access.listRulePatterns?.(), ['acme-*', '*-public', 'acme-shut-*'])
    assert.deepEqual([...(await access.listRuledProjects())!], ['acme-lib'])
    assert.deepEqual(
      (await access.listGrants({group: 'devs'})).map(({project}) => project),
      ['Acme_*'],
    )
  })
  it('may be for all groups whose names match, and never for the special ones', async () => {
    const lines = `
user.ada = x
user.bob = x
user.carol = x
group.team-a = ada
group.team-b = bob
group.TEAM-c = carol
group.odd* = carol
group.odder = ada
package.lib.group.team-* = r
package.lib.group.team-b = w
package.acme-*.group.*-a = rw
package.all.group.* = r
package.odd.group.odd* = r
package.none.group.nobody-* = rw
`
    const policy = await openPolicy(`${lines}pypi.default_read = everyone\n`)
    const projects = ['lib', 'acme-new', 'all', 'odd', 'none', 'free']
    for (const [username, rights] of Object.entries({
      ada: ['r', 'rw', 'r', 'none', 'none', 'r'],
      bob: ['rw', 'none', 'r', 'none', 'none', 'r'],
      carol: ['none', 'none', 'r', 'r', 'none', 'r'],
      everyone: ['none', 'none', 'none', 'none', 'none', 'r'],
    })) {
      const who = await as(policy, username === 'everyone' ? undefined : username)
      for (const [index, name] of projects.entries()) {
        assert.equal(await rightsOf(policy, who, name), rights[index], `${username} ${name}`)
      }
      const readable = projects.filter((_, index) => rights[index]?.startsWith('r'))
      assert.deepEqual(await policy.visibleProjects(who, projects), readable, username)
    }
    const access = await openConfigAccess(await readLines(lines))
    const exported: string[] = []
    for await (const entry of access.exportEntries()) {
      if (entry.kind !== 'grant' || !('group' in entry.principal)) continue
      exported.push(`${entry.project} ${entry.principal.group} ${entry.permissions.join()}`)
    }
    assert.deepEqual(exported.slice(0, 3), [
      'lib team-a read',
      'lib team-b read,write',
      'acme-* team-a read,write',
    ])
    assert.deepEqual(
      (await access.listOrphans()).map(({project, principal}) => [project, principal]),
      [['none', {group: 'nobody-*'}]],
    )
  })
})

describe('default groups', () => {
  it('count only where a project has no rule at all, not even an empty one', async () => {
    const policy = await openPolicy(`
pypi.default_read = authenticated
pypi.default_write = devs admin
user.bob = x
user.carol = x
group.devs = bob
package.shut.user.carol =
package.mine.user.carol = r
`)
    const [bob, carol] = [await as(policy, 'bob'), await as(policy, 'carol')]
    assert.equal(await rightsOf(policy, bob, 'free'), 'rw')
    assert.equal(await rightsOf(policy, carol, 'free'), 'r')
    assert.equal(await rightsOf(policy, anonymous, 'free'), 'none')
    assert.equal(await rightsOf(policy, carol, 'shut'), 'none')
    assert.equal(await rightsOf(policy, bob, 'mine'), 'none')
    assert.equal(await rightsOf(policy, carol, 'mine'), 'r')
    assert.deepEqual(await policy.visibleProjects(carol, ['free', 'mine', 'shut']), ['free', 'mine'])
    assert.deepEqual(await policy.visibleProjects(anonymous, ['free', 'mine', 'shut']), [])
  })
  it('may be named as pyramid does', async () => {
    const policy = await openPolicy(
      'pypi.default_read = system.Everyone\npypi.default_write = system.Authenticated\nuser.bob = x\n',
    )
    assert.equal(await rightsOf(policy, anonymous, 'free'), 'r')
    assert.equal(await rightsOf(policy, await as(policy, 'bob'), 'free'), 'rw')
    assert.deepEqual(await policy.visibleProjects(anonymous, ['free']), ['free'])
  })
})

describe('lists of groups in the settings', () => {
  it('know everyone, authenticated, admin and groups, and give administrators no pass', async () => {
    const policy = await openPolicy('user.ada = x\nuser.bob = x\nauth.admins = ada\ngroup.devs = bob\n')
    const [ada, bob] = [await as(policy, 'ada'), await as(policy, 'bob')]
    const check = (who: Identity, expected: string) => {
      const lists = ['everyone', 'authenticated', 'admin', 'devs', 'system.Everyone', 'ghosts']
      assert.equal(lists.map(list => Number(policy.inGroups(who, [list]))).join(''), expected)
      assert.equal(policy.inGroups(who, []), false)
    }
    check(anonymous, '100010')
    check(bob, '110110')
    check(ada, '111010')
    assert.deepEqual(
      [ada, bob, anonymous].map(who => policy.mayOverwrite(who)),
      [false, false, false],
    )
    assert.deepEqual(
      [ada, bob, anonymous].map(who => policy.mayDelete(who)),
      [true, true, false],
    )
  })
  it('give way to nothing but themselves: the deprecated switches', async () => {
    const cases: [string, boolean, boolean][] = [
      ['pypi.allow_overwrite = true\npypi.allow_delete = false', true, false],
      ['pypi.allow_overwrite = false\npypi.allow_delete = true', false, true],
      ['pypi.allow_overwrite = true\npypi.allow_overwrite_groups = admin', false, true],
      ['pypi.allow_delete = false\npypi.allow_delete_groups = devs', false, true],
    ]
    for (const [lines, overwrite, remove] of cases) {
      const policy = await openPolicy(`${lines}\nuser.bob = x\ngroup.devs = bob\n`)
      const bob = await as(policy, 'bob')
      assert.deepEqual([policy.mayOverwrite(bob), policy.mayDelete(bob)], [overwrite, remove], lines)
    }
  })
})

describe('a log-in', () => {
  it('whose header came before is as right as what is stored now', async () => {
    const {config, open} = await openSql()
    await using mine: Access = await open()
    await using others: Access = await open()
    const policy = new AccessPolicy(mine, config)
    const writer = others.writer!
    const passwordHash = await hashPassword('one', {rounds: 1000})
    const add = () => writer.addAccount({username: 'bob', passwordHash, admin: false, pending: false})
    const logIn = async (password: string, header: string) => {
      await policy.authenticate('bob', password, 'here', header)
      await policy.authenticate('bob', password, 'here', header)
      return policy.recall(header)?.username
    }
    await add()
    assert.equal(policy.recall('Basic 1'), undefined)
    assert.equal(await logIn('wrong', 'Basic 0'), undefined)
    assert.equal(await logIn('one', 'Basic 1'), 'bob')
    assert.equal(policy.recall('Basic 2'), undefined)
    policy.forgetCredentials()
    assert.equal(policy.recall('Basic 1'), undefined)

    assert.equal(await logIn('one', 'Basic 1'), 'bob')
    await writer.setPasswordHash('bob', await hashPassword('two', {rounds: 1000}))
    await policy.find('bob')
    assert.equal(policy.recall('Basic 1'), undefined)
    assert.equal(await logIn('two', 'Basic 2'), 'bob')
    await writer.deleteUser('bob')
    await policy.find('bob')
    assert.equal(policy.recall('Basic 2'), undefined)
    await add()
    await policy.find('bob')
    assert.equal(policy.recall('Basic 2'), undefined)
  })
  it('is answered at once the second time, and not after the password, the user or approval is gone', async () => {
    const {config, open} = await openSql()
    await using mine: Access = await open()
    await using others: Access = await open()
    const policy = new AccessPolicy(mine, config)
    const writer = others.writer!
    await writer.addAccount({
      username: 'bob',
      passwordHash: await hashPassword('one', {rounds: 1000}),
      admin: false,
      pending: true,
    })
    assert.equal(await policy.authenticate('bob', 'one'), undefined)
    await writer.approve('bob')
    assert.equal((await policy.authenticate('bob', 'one'))?.username, 'bob')
    const again = policy.authenticate('bob', 'one')
    assert.ok(!(again instanceof Promise))
    assert.equal(again?.admin, false)
    assert.equal(await policy.can(again, 'x', 'write'), false)
    assert.equal(policy.can(again, 'x', 'write'), false)

    await writer.setAdmin('bob', true)
    assert.equal((await policy.authenticate('bob', 'one'))?.admin, true)
    await writer.setPasswordHash('bob', await hashPassword('two', {rounds: 1000}))
    assert.equal(await policy.authenticate('bob', 'one'), undefined)
    assert.equal((await policy.authenticate('bob', 'two'))?.username, 'bob')
    await writer.deleteUser('bob')
    assert.equal(await policy.authenticate('bob', 'two'), undefined)
    assert.equal(await policy.identify('bob'), undefined)
  })
  it('costs one hash when many ask at once', async () => {
    const policy = await openPolicy(`user.bob = ${await hashPassword('pw', {rounds: 100_000})}\n`)
    const start = performance.now()
    await policy.authenticate('bob', 'wrong')
    const one = performance.now() - start
    const many = await Promise.all(Array.from({length: 100}, async () => policy.authenticate('bob', 'pw')))
    assert.ok(many.every(identity => identity?.username === 'bob'))
    assert.ok(performance.now() - start < one * 20)
  })
  it('fails with a reason for the log where nobody can log in', async () => {
    const config = await readLines(
      'user.bob = plain text\nuser.eve = $6$rounds=999999999$aaaaaaaa$short\nauth.rounds = 1000\n',
    )
    const problems: string[] = []
    const policy = new AccessPolicy(await openConfigAccess(config), config, {
      onUnusableAccount: (username, problem) => problems.push(`${username}: ${problem}`),
    })
    assert.equal(await policy.authenticate('bob', 'plain text'), undefined)
    assert.equal(await policy.authenticate('eve', 'x'), undefined)
    assert.equal(problems.length, 2)
    assert.doesNotMatch(problems.join(), /plain text|aaaaaaaa/)
  })
})

describe('rights', () => {
  it('that another opener gives or takes show at once', async () => {
    const {config, open} = await openSql({'pypi.default_read': 'everyone'})
    await using mine: Access = await open()
    await using others: Access = await open()
    const policy = new AccessPolicy(mine, config)
    const writer = others.writer!
    await writer.addAccount({username: 'bob', passwordHash: 'x', admin: false, pending: false})
    await writer.createGroup('devs')
    const seen = async () => {
      const bob = await as(policy, 'bob')
      return [await rightsOf(policy, bob, 'lib'), (await policy.visibleProjects(bob, ['lib'])).length]
    }
    assert.deepEqual(await seen(), ['r', 1])
    await writer.grant('lib', {group: 'devs'}, 'write')
    assert.deepEqual(await seen(), ['none', 0])
    await writer.addMember('devs', 'bob')
    assert.deepEqual(await seen(), ['w', 0])
    await writer.grant('Lib', {user: 'bob'}, 'read')
    assert.deepEqual(await seen(), ['rw', 1])
    await writer.deleteGroup('devs')
    assert.deepEqual(await seen(), ['r', 1])
    await writer.revoke('lib', {user: 'bob'}, 'read')
    assert.deepEqual(await seen(), ['r', 1])
  })
  it('are found for ten thousand projects without a query each', async () => {
    const {config, open} = await openSql()
    await using access: Access = await open()
    const names = Array.from({length: 10_000}, (_, index) => `project-${index}`)
    async function* entries(): AsyncGenerator<AclEntry> {
      yield {kind: 'user', username: 'bob', admin: false, passwordHash: 'x'}
      yield* await Promise.resolve(
        names.map((project, index): AclEntry => ({
          kind: 'grant',
          project: index % 2 ? project : project.toUpperCase(),
          principal: {user: 'bob'},
          permissions: index % 3 ? ['read'] : ['write'],
        })),
      )
    }
    await access.writer?.load(entries())
    let asked = 0
    const counting = new Proxy(access, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function') return member
        asked += 1
        return member.bind(target) as unknown
      },
    })
    const policy = new AccessPolicy(counting, config)
    const bob = await as(policy, 'bob')
    const visible = await policy.visibleProjects(bob, names)
    assert.equal(visible.length, names.filter((_, index) => index % 3).length)
    for (let turn = 0; turn < 20; turn++) await policy.visibleProjects(bob, names)
    assert.ok(asked < 200, `${asked} questions`)
    assert.equal(await policy.can(bob, 'project-2', 'read'), true)
  })
})
