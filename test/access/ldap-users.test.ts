import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {Attribute, Change} from 'ldapts'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {ldapConfig, openLdap} from './ldap-support.js'
import {addEntries, administer, organization, person, type Slapd} from './tree.js'

const available = needs('slapd', 'openssl')
const base = 'dc=example,dc=com'
const people = `ou=people,${base}`

describe('users of a directory', available, () => {
  let slapd: Slapd
  let search: Record<string, string>
  let byDn: Record<string, string>
  before(async () => {
    slapd = await startService('slapd')
    await addEntries(slapd, [
      [
        'cn=svc,dc=example,dc=com',
        {
          objectClass: ['organizationalRole', 'simpleSecurityObject'],
          cn: 'svc',
          userPassword: 'svc password',
        },
      ],
      organization(people),
      organization(`ou=more,${base}`),
      organization(`ou=deep,ou=more,${base}`),
      person(`uid=lena,${people}`, {
        uid: 'lena',
        title: ['Head of Packages', 'Boss'],
        userPassword: 'lena secret',
      }),
      person(`uid=milo,${people}`, {uid: 'milo', mail: 'Milo@Example.com', userPassword: 'milo päss'}),
      person(`uid=twin,${people}`, {uid: 'twin', userPassword: 'twin one'}),
      person(`uid=twin,ou=more,${base}`, {uid: 'twin', userPassword: 'twin two'}),
      person(`uid=far,ou=deep,ou=more,${base}`, {uid: 'far', userPassword: 'far secret'}),
      person(`uid=keyless,${people}`, {uid: 'keyless'}),
      person(`uid=a\\2cou\\3dmore\\+\\#,${people}`, {uid: 'a,ou=more+#', userPassword: 'odd secret'}),
      person(`uid=JSmith,${people}`, {uid: 'JSmith', userPassword: 'js secret'}),
      [
        `cn=admins,${base}`,
        {
          objectClass: 'groupOfNames',
          cn: 'admins',
          member: [`uid=milo,${people}`, `uid=a\\2cou\\3dmore\\+\\#,${people}`],
        },
      ],
      [
        `cn=unique,${base}`,
        {objectClass: 'groupOfUniqueNames', cn: 'unique', uniqueMember: `uid=lena,${people}`},
      ],
    ])
    search = {
      'auth.ldap.url': slapd.url,
      'auth.ldap.service_dn': 'cn=svc,dc=example,dc=com',
      'auth.ldap.service_password': 'svc password',
      'auth.ldap.base_dn': base,
      'auth.ldap.user_search_filter': '(uid={username})',
    }
    byDn = {'auth.ldap.url': slapd.url, 'auth.ldap.user_dn_format': `uid={username},${people}`}
  })
  after(() => slapd[Symbol.asyncDispose]())

  it('log in by search or by DN, wherever they are in the tree, with their password only', async () => {
    for (const settings of [search, byDn]) {
      await using ldap = await openLdap(settings)
      const {policy} = ldap
      assert.equal((await policy.authenticate('lena', 'lena secret'))?.username, 'lena')
      assert.equal((await policy.authenticate('milo', 'milo päss'))?.username, 'milo')
      for (const wrong of [
        '',
        ' ',
        'lena secret ',
        'LENA SECRET',
        '\0',
        '\0x',
        'lena secret\0',
        'x'.repeat(1_000_000),
      ]) {
        assert.equal(await policy.authenticate('lena', wrong), undefined, JSON.stringify(wrong.slice(0, 20)))
      }
      assert.equal(await policy.authenticate('keyless', 'x'), undefined)
      assert.equal(await policy.authenticate('nobody', 'lena secret'), undefined)
      const far = await policy.authenticate('far', 'far secret')
      assert.equal(far?.username, settings === search ? 'far' : undefined)
      assert.deepEqual(ldap.problems, [])
    }
  })

  it('are never found by a name that acts as a filter or as a DN', async () => {
    const odd = [
      '*',
      'len*',
      '*)(uid=*',
      'lena)(&',
      'x)(|(uid=lena',
      '\\6cena',
      'lena\\',
      'lena,ou=people',
      'lena+cn=x',
    ]
    const names = [
      ...odd,
      '#6c656e61',
      '"lena"',
      ' ',
      '',
      '..',
      '__proto__',
      'constructor',
      'a:b',
      'a\nb',
      'lena\0',
      '\0',
    ]
    for (const settings of [search, byDn]) {
      await using ldap = await openLdap(settings)
      for (const name of [...names, 'x'.repeat(10_000), '🔑'.repeat(10_000), 'y'.repeat(1_000_000)]) {
        assert.equal(await ldap.policy.authenticate(name, 'lena secret'), undefined, name.slice(0, 50))
      }
      assert.deepEqual(ldap.problems, [])
      assert.equal((await ldap.policy.authenticate('lena', 'lena secret'))?.username, 'lena')
      const special = await ldap.policy.authenticate('a,ou=more+#', 'odd secret')
      assert.equal(special?.username, 'a,ou=more+#')
    }
  })

  it('are one user in every spelling that the directory takes for the same', async () => {
    for (const settings of [search, byDn]) {
      await using ldap = await openLdap(settings)
      for (const spelling of ['lena', 'LENA', ' lena ', 'Lena']) {
        assert.equal((await ldap.policy.authenticate(spelling, 'lena secret'))?.username, 'lena', spelling)
      }
    }
    await using ldap = await openLdap({
      ...search,
      'auth.ldap.user_search_filter': '(|(uid={username})(mail={username}))',
    })
    assert.equal(
      (await ldap.policy.authenticate('milo@example.com', 'milo päss'))?.username,
      'Milo@Example.com',
    )
    assert.equal((await ldap.policy.authenticate('MILO', 'milo päss'))?.username, 'milo')
  })

  it('keep the rights that the file gives to another spelling of their name', async () => {
    const rules = 'package.tool.user.jsmith = rw\npackage.other.user.ghost = r\n'
    await using ldap = await openLdap({...search, 'auth.ldap.fallback': 'config'}, rules)
    for (const spelling of ['jsmith', 'JSmith', 'JSMITH']) {
      const identity = await ldap.policy.authenticate(spelling, 'js secret')
      assert.equal(identity?.username, 'jsmith')
      assert.equal(await ldap.policy.can(identity, 'tool', 'write'), true)
    }
    assert.deepEqual(
      (await ldap.access.listOrphans()).map(({project}) => project),
      ['other'],
    )
  })

  it('who are two are nobody, and the log says why, unless the first one is to be taken', async () => {
    await using ldap = await openLdap(search)
    for (const password of ['twin one', 'twin two']) {
      assert.equal(await ldap.policy.authenticate('twin', password), undefined)
    }
    assert.match(
      ldap.problems[0]!,
      /^twin: 2 entries have that name: uid=twin,ou=people,.*; uid=twin,ou=more,/,
    )
    assert.equal(await ldap.policy.identify('twin'), undefined)
    await using lenient = await openLdap({...search, 'auth.ldap.ignore_multiple_results': 'true'})
    assert.equal((await lenient.policy.authenticate('twin', 'twin one'))?.username, 'twin')
    assert.equal(await lenient.policy.authenticate('twin', 'twin two'), undefined)
  })

  it('are administrators by any value of an attribute, or by a group of either class', async () => {
    const values = {'auth.ldap.admin_field': 'TITLE', 'auth.ldap.admin_value': 'Chief\nHead of Packages'}
    const admins = async (settings: Record<string, string>) => {
      await using ldap = await openLdap(settings)
      const found = []
      for (const name of ['lena', 'milo', 'far', 'a,ou=more+#', 'nobody']) {
        if ((await ldap.access.findAccount(name))?.admin) found.push(name)
      }
      return found
    }
    assert.deepEqual(await admins({...search, ...values}), ['lena'])
    assert.deepEqual(await admins({...search, ...values, 'auth.ldap.admin_value': 'Head\nboss'}), [])
    assert.deepEqual(await admins({...byDn, 'auth.ldap.admin_group_dn': `cn=admins,${base}`}), [
      'milo',
      'a,ou=more+#',
    ])
    assert.deepEqual(await admins({...byDn, 'auth.ldap.admin_group_dn': `cn=unique,${base}`}), ['lena'])
    assert.deepEqual(await admins({...byDn, ...values, 'auth.ldap.admin_group_dn': `cn=admins,${base}`}), [
      'lena',
      'milo',
      'a,ou=more+#',
    ])
    assert.deepEqual(await admins({...byDn, 'auth.ldap.admin_group_dn': `cn=none,${base}`}), [])
  })

  it('and the service account, which is an administrator under its own name', async () => {
    await using ldap = await openLdap({...search, 'auth.ldap.service_username': 'robot'})
    assert.equal((await ldap.policy.authenticate('robot', 'svc password'))?.admin, true)
    for (const wrong of ['', 'x', 'lena secret'])
      assert.equal(await ldap.policy.authenticate('robot', wrong), undefined)
    assert.equal(await ldap.policy.authenticate('svc', 'svc password'), undefined)
  })

  it('are forgotten as auth.ldap.cache_time says; who was added is there at once', async () => {
    await using ldap = await openLdap({
      ...search,
      'auth.ldap.cache_time': '0',
      'auth.ldap.admin_field': 'title',
      'auth.ldap.admin_value': 'x',
    })
    await using remembering = await openLdap(search)
    const log = async (password: string) => {
      const found = []
      for (const {policy} of [ldap, remembering]) {
        const identity = await policy.authenticate('new', password)
        found.push(identity && `${identity.username ?? ''} ${identity.admin}`)
      }
      return found
    }
    assert.deepEqual(await log('first'), [undefined, undefined])
    const dn = `uid=new,${people}`
    await addEntries(slapd, [person(dn, {uid: 'new', title: 'x', userPassword: 'first'})])
    assert.deepEqual(await log('first'), ['new true', 'new false'])
    await administer(slapd, client => client.del(dn))
    assert.deepEqual(await log('first'), [undefined, 'new false'], 'verified a moment ago')
    assert.deepEqual(await log('other'), [undefined, undefined])
  })

  it('who are dismissed as administrators are so for as long as is remembered, and no longer', async () => {
    const settings = {
      'auth.ldap.admin_field': 'title',
      'auth.ldap.admin_value': 'x',
      'auth.ldap.cache_time': '1',
    }
    await using ldap = await openLdap({...search, ...settings})
    const dn = `uid=chief,${people}`
    await addEntries(slapd, [person(dn, {uid: 'chief', title: 'x', userPassword: 'secret'})])
    assert.equal((await ldap.policy.authenticate('chief', 'secret'))?.admin, true)
    const change = new Change({operation: 'delete', modification: new Attribute({type: 'title'})})
    await administer(slapd, client => client.modify(dn, change))
    while ((await ldap.policy.authenticate('chief', 'secret'))?.admin !== false) await sleep(50)
    await administer(slapd, client => client.del(dn))
    while (await ldap.policy.identify('chief')) await sleep(50)
  })

  it('have the groups and rules of the file with fallback = config, and none without', async () => {
    const rules =
      'group.team = milo nobody\npackage.tool.group.team = rw\nuser.lena = ignored\nauth.admins = milo\n'
    await using ldap = await openLdap({...search, 'auth.ldap.fallback': 'config'}, rules)
    const milo = await ldap.policy.authenticate('milo', 'milo päss')
    assert.deepEqual(milo, {username: 'milo', admin: false, groups: ['team']})
    assert.equal(await ldap.policy.can(milo, 'tool', 'write'), true)
    assert.equal(await ldap.policy.authenticate('lena', 'ignored'), undefined)
    assert.deepEqual(await ldap.access.listUsers(), [
      {username: 'lena', admin: false},
      {username: 'milo', admin: false},
    ])
    await using without = await openLdap(search, rules)
    assert.deepEqual(await without.policy.authenticate('milo', 'milo päss'), {
      username: 'milo',
      admin: false,
      groups: [],
    })
    assert.deepEqual(await without.access.listGroups(), [])
    assert.equal(without.access.formatEntries, undefined)
  })

  it('are found by filters as other programs take them: with blanks, lines and escaped bytes', async () => {
    const filter =
      '( &\n (| (objectClass=inetOrgPerson) (cn=M\\c3\\bcller) )\n (uid={username}) (!(description=caf\\c3\\a9 *)) )'
    await using ldap = await openLdap({...search, 'auth.ldap.user_search_filter': filter})
    assert.equal((await ldap.policy.authenticate('milo', 'milo päss'))?.username, 'milo')
  })

  it('can not be searched by a config that would let in anybody', async () => {
    for (const [settings, expected] of [
      [{'auth.ldap.user_search_filter': '(uid=lena)'}, /auth\.ldap\.user_search_filter: lacks \{username\}/],
      [
        {'auth.ldap.service_dn': '', 'auth.ldap.service_username': 'robot'},
        /service_username: needs auth\.ldap\.service_dn/,
      ],
      [
        {'auth.ldap.url': 'http://127.0.0.1'},
        /server\.ini:\d+: auth\.ldap\.url: found "http:\/\/127\.0\.0\.1"/,
      ],
      [{'auth.ldap.url': 'ldap://127.0.0.1:x'}, /auth\.ldap\.url: found "ldap:\/\/127\.0\.0\.1:x"/],
      [{'auth.ldap.user_search_filter': '(uid={username}'}, /user_search_filter: found .*expected a filter/],
      [
        {'auth.ldap.ca_cert': '/does/not/exist.pem'},
        /auth\.ldap\.ca_cert: the file \/does\/not\/exist\.pem can't be read/,
      ],
    ] as const) {
      await assert.rejects(openLdap({...search, ...settings}), (error: Error & {code?: string}) => {
        assert.equal(error.code, 'PPC_CONFIG')
        assert.match(error.message, expected)
        return true
      })
    }
    const {warnings} = await ldapConfig({...search, 'auth.ldap.cache_time': '3600'})
    assert.match(warnings.map(({message}) => message).join(), /more than 300 counts as 300/)
  })
})
