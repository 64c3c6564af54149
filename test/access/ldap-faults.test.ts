import assert from 'node:assert/strict'
import {once} from 'node:events'
import {connect, createServer, type AddressInfo} from 'node:net'
import {after, before, describe, it} from 'node:test'
import {PpcError} from '../../src/lib/errors.js'
import {startService} from '../services/index.js'
import {freePort} from '../support/free-port.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {openGate, openLdap} from './ldap-support.js'
import {addEntries, organization, person, type Slapd} from './tree.js'

const available = needs('slapd', 'openssl')
const base = 'dc=example,dc=com'
const people = `ou=people,${base}`
const tree = [organization(people), person(`uid=lena,${people}`, {uid: 'lena', userPassword: 'lena secret'})]
const search = {'auth.ldap.base_dn': base, 'auth.ldap.user_search_filter': '(uid={username})'}

/** What somebody gets who logs in: the name, `nobody`, or the code of the error. */
async function logIn(
  settings: Record<string, string>,
  username = 'lena',
  password = 'lena secret',
): Promise<string> {
  await using ldap = await openLdap({...search, ...settings})
  return await outcome(Promise.resolve(ldap.policy.authenticate(username, password)))
}
const outcome = (login: Promise<{username?: string} | undefined>): Promise<string> =>
  login.then(
    identity => identity?.username ?? 'nobody',
    (error: unknown) => String((error as {code?: string}).code),
  )
/** The sentence of the check that /health makes. */
async function checkOf(settings: Record<string, string>): Promise<string> {
  await using ldap = await openLdap({...search, ...settings})
  return await ldap.access.check().then(
    () => '',
    (error: unknown) => (error instanceof PpcError ? `${error.code} ${error.message}` : 'a bug'),
  )
}

describe('a directory', available, () => {
  let slapd: Slapd
  before(async () => {
    slapd = await startService('slapd')
    await addEntries(slapd, tree)
  })
  after(() => slapd[Symbol.asyncDispose]())

  it('is asked with TLS: ldaps or StartTLS, with a certificate that can be verified', async () => {
    const trusting = {'auth.ldap.ca_cert': slapd.caFile}
    const startTls = {'auth.ldap.url': slapd.url, 'auth.ldap.start_tls': 'true'}
    const tls = {'auth.ldap.url': slapd.tlsUrl}
    for (const way of [tls, startTls]) {
      assert.equal(await logIn({...way, ...trusting}), 'lena')
      assert.equal(await logIn({...way, ...trusting}, 'lena', 'wrong'), 'nobody')
      assert.equal(await logIn({...way, 'auth.ldap.ignore_cert': 'true'}), 'lena')
      assert.equal(await logIn(way), 'PPC_DIRECTORY_FAILED')
      const message = await checkOf(way)
      assert.match(
        message,
        /server\.ini:\d+: auth\.ldap\.url: ldaps?:.*can't be verified.*auth\.ldap\.ca_cert/,
      )
    }
    const {port} = new URL(slapd.tlsUrl)
    const otherName = {...trusting, 'auth.ldap.url': `ldaps://127.0.0.2:${port}`}
    assert.match(await checkOf(otherName), /^PPC_(?:DIRECTORY_FAILED .*another host name|UNAVAILABLE)/)
    assert.match(await checkOf({...trusting, 'auth.ldap.url': slapd.url.replace('ldap:', 'ldaps:')}), /PPC_/)
  })

  it('that is down, is unavailable; the sentence names its key', async () => {
    const down = {'auth.ldap.url': `ldap://127.0.0.1:${await freePort()}`}
    assert.equal(await logIn(down), 'PPC_UNAVAILABLE')
    assert.match(
      await checkOf(down),
      /server\.ini:\d+: auth\.ldap\.url: ldap:\/\/127\.0\.0\.1:\d+ can't be reached \(ECONNREFUSED\)$/,
    )
    const both = {'auth.ldap.url': `${down['auth.ldap.url']}, ${slapd.url}`}
    assert.equal(await logIn(both), 'lena')
  })

  it('is asked through a Unix socket', async () => {
    await using directory = await tempDir()
    const path = directory.join('ldapi')
    const server = createServer(client => {
      const target = connect(slapd.port, '127.0.0.1')
      client.pipe(target).pipe(client)
    }).listen(path)
    await once(server, 'listening')
    assert.equal(
      await logIn({'auth.ldap.url': `ldapi://${encodeURIComponent(path).replaceAll('%', '%%')}`}),
      'lena',
    )
    server.close()
  })

  it('that comes back, or loses connections, is asked again', async () => {
    await using gate = await openGate(slapd.port)
    await using ldap = await openLdap({...search, 'auth.ldap.url': gate.url, 'auth.ldap.cache_time': '0'})
    const login = () => outcome(Promise.resolve(ldap.policy.authenticate('lena', 'lena secret')))
    assert.equal(await login(), 'lena')
    gate.cut()
    assert.equal(await login(), 'lena')
    for (let round = 0; round < 3; round += 1) {
      await gate.close()
      assert.equal(await login(), 'PPC_UNAVAILABLE')
      await gate.reopen()
      assert.equal(await login(), 'lena')
    }
    const logins = Array.from({length: 50}, async (_, index) => {
      if (index % 10 === 5) gate.cut()
      return login()
    })
    for (const result of await Promise.all(logins)) assert.match(result, /^(?:lena|PPC_UNAVAILABLE)$/)
    assert.equal(await login(), 'lena')
  })

  it('that does not answer, keeps nobody waiting for long', async () => {
    await using gate = await openGate(slapd.port)
    const settings = {
      ...search,
      'auth.ldap.url': gate.url,
      'auth.ldap.cache_time': '0',
      'auth.ldap.timeout': '1',
    }
    await using ldap = await openLdap(settings)
    const login = (name = 'lena') => outcome(Promise.resolve(ldap.policy.authenticate(name, 'lena secret')))
    const isLetIn = () => waitFor('she is let in', async () => (await login()) === 'lena') // a second may be short
    await isLetIn()
    gate.state = 'deaf'
    const names = Array.from({length: 40}, (_, index) => `user${index}`)
    assert.deepEqual(new Set(await Promise.all(names.map(login))), new Set(['PPC_UNAVAILABLE']))
    assert.match(await checkOf(settings), /does not answer within 1 s$/)
    gate.state = 'open'
    gate.cut()
    await isLetIn()
    const startTls = {...settings, 'auth.ldap.start_tls': 'true'}
    gate.state = 'deaf'
    assert.match(await checkOf(startTls), /does not answer within 1 s$/)
    assert.match(
      await checkOf({...settings, 'auth.ldap.url': gate.url.replace('ldap', 'ldaps')}),
      /does not answer within 1 s$/,
    )
  })

  it('that speaks something else, lets nobody in', async () => {
    const answers = [
      'HTTP/1.1 400 Bad Request\r\n\r\n',
      '\0\0\0\0\0\0\0\0',
      '0\x84\xff\xff\xff\xff\x02\x01\x02',
      '0\x0c\x02\x01\x02a\x07\n\x01\x00\x04\x00\x04',
    ]
    for (const answer of answers) {
      const server = createServer(socket => {
        socket.on('error', () => undefined).once('data', () => socket.end(Buffer.from(answer, 'latin1')))
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`
      assert.equal(
        await logIn({'auth.ldap.url': url, 'auth.ldap.timeout': '1'}),
        'PPC_UNAVAILABLE',
        JSON.stringify(answer),
      )
      server.close()
    }
  })

  it('is asked over few connections, whoever logs in', async () => {
    await using gate = await openGate(slapd.port)
    await using ldap = await openLdap({...search, 'auth.ldap.url': gate.url, 'auth.ldap.cache_time': '0'})
    const logins = Array.from({length: 400}, (_, index) => {
      const wrong = index % 3 === 0
      const login = outcome(
        Promise.resolve(ldap.policy.authenticate('lena', wrong ? `wrong ${index}` : 'lena secret')),
      )
      return login.then(result => assert.equal(result, wrong ? 'nobody' : 'lena'))
    })
    await Promise.all(logins)
    assert.ok(gate.connections.most <= 9, `${gate.connections.most} connections`)
    await ldap[Symbol.asyncDispose]()
    while (gate.connections.now > 0) await new Promise(resolve => setTimeout(resolve, 10))
  })

  it('ends with the connections of log-ins that still run', async () => {
    await using gate = await openGate(slapd.port)
    const ldap = await openLdap({...search, 'auth.ldap.url': gate.url})
    const logins = Array.from({length: 20}, (_, index) =>
      outcome(Promise.resolve(ldap.policy.authenticate('lena', `${index}`))),
    )
    await new Promise(resolve => setTimeout(resolve, 5))
    await ldap[Symbol.asyncDispose]()
    for (const result of await Promise.all(logins)) assert.match(result, /^(?:nobody|PPC_UNAVAILABLE)$/)
    while (gate.connections.now > 0) await new Promise(resolve => setTimeout(resolve, 10))
  })

  it('that refuses what the config says, is told so by key', async () => {
    const url = {'auth.ldap.url': slapd.url}
    const service = {'auth.ldap.service_dn': slapd.adminDn, 'auth.ldap.service_password': 'wrong'}
    assert.match(
      await checkOf({...url, ...service}),
      /^PPC_DIRECTORY_FAILED .*auth\.ldap\.service_dn: the directory refuses cn=admin,[^:]*$/,
    )
    assert.equal(await logIn({...url, ...service}), 'PPC_DIRECTORY_FAILED')
    assert.equal(await logIn({...url, ...service, 'auth.ldap.service_password': ''}), 'PPC_DIRECTORY_FAILED')
    assert.match(
      await checkOf({...url, 'auth.ldap.base_dn': 'dc=none'}),
      /auth\.ldap\.base_dn: the directory has no entry dc=none/,
    )
    assert.equal(await checkOf({...url, ...service, 'auth.ldap.service_password': slapd.adminPassword}), '')
  })

  it('that closes to strangers, says what to write', async () => {
    await using closed = await startService('slapd', {
      configuration: 'security simple_bind=56\nrequire authc',
    })
    const url = {'auth.ldap.url': closed.url}
    assert.match(await checkOf(url), /auth\.ldap\.service_dn: missing: |without TLS/)
    const service = {
      ...url,
      'auth.ldap.service_dn': closed.adminDn,
      'auth.ldap.service_password': closed.adminPassword,
    }
    assert.match(
      await checkOf(service),
      /talks to nobody without TLS: write ldaps:\/\/, or auth\.ldap\.start_tls = true$/,
    )
    assert.equal(
      await checkOf({...service, 'auth.ldap.start_tls': 'on', 'auth.ldap.ca_cert': closed.caFile}),
      '',
    )
  })
})

describe('a directory that refers to another one', available, () => {
  it('has its users too, unless referrals are ignored', async () => {
    const far = `ou=far,${base}`
    await using other = await startService('slapd', {suffix: base})
    await addEntries(other, [
      organization(far),
      person(`uid=otto,${far}`, {uid: 'otto', title: 'Boss', userPassword: 'otto secret'}),
    ])
    await using gate = await openGate(other.port)
    await using main = await startService('slapd', {suffix: base})
    await addEntries(main, [
      ...tree,
      [
        far,
        {
          objectClass: ['referral', 'extensibleObject'],
          ou: 'far',
          ref: `${gate.url}/${encodeURIComponent(far)}`,
        },
      ],
    ])
    const admin = {
      'auth.ldap.url': main.url,
      'auth.ldap.admin_field': 'title',
      'auth.ldap.admin_value': 'Boss',
      'auth.ldap.cache_time': '0',
    }
    await using ldap = await openLdap({
      ...search,
      ...admin,
      'auth.ldap.service_dn': main.adminDn,
      'auth.ldap.service_password': main.adminPassword,
    })
    assert.equal((await ldap.policy.authenticate('otto', 'otto secret'))?.admin, true)
    assert.equal(await ldap.policy.authenticate('otto', 'wrong'), undefined)
    assert.equal((await ldap.policy.authenticate('lena', 'lena secret'))?.username, 'lena')
    assert.equal(await ldap.policy.authenticate('nobody', 'x'), undefined)
    assert.equal(
      await logIn({...admin, 'auth.ldap.ignore_referrals': 'true'}, 'otto', 'otto secret'),
      'nobody',
    )
    const below = {
      'auth.ldap.url': main.url,
      'auth.ldap.user_dn_format': `uid={username},${far}`,
      'auth.ldap.base_dn': '',
      'auth.ldap.user_search_filter': '',
    }
    assert.equal(await logIn(below, 'otto', 'otto secret'), 'PPC_DIRECTORY_FAILED')
    assert.equal(
      await logIn({...below, 'auth.ldap.ignore_referrals': 'true'}, 'otto', 'otto secret'),
      'nobody',
    )

    await gate.close()
    assert.equal((await ldap.policy.authenticate('lena', 'lena secret'))?.username, 'lena')
    await assert.rejects(
      Promise.resolve(ldap.policy.authenticate('nobody', 'x')),
      (error: Error & {hint?: string}) => {
        assert.match(
          error.message,
          /auth\.ldap\.url: the directory refers to ldap:\/\/127\.0\.0\.1:\d+, which can't be asked/,
        )
        assert.match(error.hint ?? '', /auth\.ldap\.ignore_referrals = true/)
        return true
      },
    )
  })
})
