import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {describe, it} from 'node:test'
import {fileURLToPath} from 'node:url'
import {networkOf, SlowDown, TooManyAttempts} from '../../src/lib/access/slow-down.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {tempDir} from '../support/temp.js'
import {basic, install, type Installation} from './installation.js'

const filter = `
[filter:proxy-prefix]
use = egg:PasteDeploy#prefix
`
const iniOf = (extra = '', more = ''): string => `[app:main]
use = egg:pypicloud
pypi.fallback = none
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = config
session.validate_key = k
user.ada = ${testPasswordHash}
user.bob = ${testPasswordHash}
${extra}
${more}`

/** A private project, which needs a log-in; or with `open` what anybody may read. */
const ask = (
  {app}: Installation,
  user: string,
  password: string,
  {from = '192.0.2.1', headers = {}, url = '/api/package/private/'} = {},
) => app.inject({url, remoteAddress: from, headers: {authorization: basic(user, password), ...headers}})
const failTimes = async (times: number, server: Installation, user: string, options = {}) => {
  for (let i = 0; i < times; i++)
    assert.equal((await ask(server, user, `wrong ${i}`, options)).statusCode, 401)
}

describe('wrong passwords', () => {
  it('slow their user and address down, and nobody else', async () => {
    const server = await install(iniOf())
    try {
      await failTimes(5, server, 'ada')
      const answer = await ask(server, 'ada', 'wrong again')
      assert.equal(answer.statusCode, 429)
      assert.match(String(answer.headers['retry-after']), /^[1-9]\d*$/)
      assert.equal((await ask(server, 'ada', testPassword)).statusCode, 429, 'no password is looked at')
      assert.equal((await ask(server, 'ada', testPassword, {from: '192.0.2.2'})).statusCode, 200)
      assert.equal((await ask(server, 'bob', testPassword)).statusCode, 200)
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  it('are no matter where nobody needs to log in', async () => {
    const server = await install(iniOf())
    try {
      await failTimes(5, server, 'ada')
      for (const url of ['/', '/simple/', '/api/package/']) {
        assert.equal((await ask(server, 'ada', 'wrong', {url})).statusCode, 200, url)
      }
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  it('of a user that does not exist are answered in the same way', async () => {
    const server = await install(iniOf())
    try {
      await failTimes(5, server, 'nobody')
      assert.equal((await ask(server, 'nobody', 'x')).statusCode, 429)
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  it('do not delay who is logged in already, nor are they forgotten by the pages', async () => {
    const server = await install(iniOf())
    try {
      assert.equal((await ask(server, 'ada', testPassword)).statusCode, 200)
      await failTimes(5, server, 'ada')
      assert.equal((await ask(server, 'ada', testPassword)).statusCode, 200, 'just verified')
      const form = await server.app.inject({
        method: 'POST',
        url: '/acct/login',
        remoteAddress: '192.0.2.1',
        payload: 'username=ada&password=wrong',
        headers: {'content-type': 'application/x-www-form-urlencoded', accept: 'text/html'},
      })
      assert.equal(form.statusCode, 429)
      assert.match(String(form.headers['retry-after']), /^[1-9]/)
      assert.match(form.payload, /too many wrong passwords/)
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  it('count for the address that a listed proxy saw, never for an invented one', async () => {
    const behind = {from: '127.0.0.1'}
    const by = (address: string) => ({...behind, headers: {'x-forwarded-for': address}})
    const server = await install(iniOf('filter-with = proxy-prefix', filter))
    try {
      for (let i = 0; i < 5; i++) {
        // what the client sent comes first, what the proxy saw last
        assert.equal(
          (await ask(server, 'ada', `w${i}`, by(`10.9.8.${i}, 198.51.100.7:5${i}`))).statusCode,
          401,
        )
      }
      assert.equal((await ask(server, 'ada', 'w', by('1.2.3.4, 198.51.100.7'))).statusCode, 429)
      assert.equal((await ask(server, 'ada', testPassword, by('198.51.100.8'))).statusCode, 200)
      await failTimes(5, server, 'bob', {from: '192.0.2.9', headers: {'x-forwarded-for': '203.0.113.1'}})
      const moved = {from: '192.0.2.9', headers: {'x-forwarded-for': '203.0.113.2'}}
      assert.equal((await ask(server, 'bob', 'w', moved)).statusCode, 429, 'no proxy of ours')
    } finally {
      await server[Symbol.asyncDispose]()
    }
    const listed = await install(iniOf('pypi.trusted_proxies = 192.0.2.0/24 127.0.0.1'))
    try {
      const chain = {from: '192.0.2.50', headers: {'x-forwarded-for': '6.6.6.6, 198.51.100.7, 127.0.0.1'}}
      await failTimes(5, listed, 'ada', chain)
      assert.equal((await ask(listed, 'ada', 'w', {from: '198.51.100.7'})).statusCode, 429)
      assert.equal((await ask(listed, 'ada', testPassword, {from: '192.0.2.50'})).statusCode, 200)
      assert.equal((await ask(listed, 'bob', testPassword, {...chain, from: '10.0.0.1'})).statusCode, 200)
    } finally {
      await listed[Symbol.asyncDispose]()
    }
  })

  it('count on all workers of a host', async () => {
    await using directory = await tempDir()
    const file = directory.join('server.ini')
    await writeFile(file, iniOf())
    const child = spawn(
      process.execPath,
      [join(dirname(fileURLToPath(import.meta.url)), 'serve-child.js'), file, '2', '5'],
      {stdio: ['ignore', 'pipe', 'ignore']},
    )
    const exited = once(child, 'exit')
    try {
      const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
      const statuses: number[] = []
      for (let i = 0; i < 12; i++) {
        const answer = await fetch(`${url}/api/package/private/`, {
          headers: {authorization: basic('ada', `wrong ${i}`), connection: 'close'}, // each to the next worker
        })
        statuses.push(answer.status)
      }
      assert.ok(statuses.filter(status => status === 401).length <= 7, statuses.join(' '))
      assert.ok(statuses.includes(429), statuses.join(' '))
    } finally {
      child.kill('SIGKILL')
      await exited
    }
  })
})

describe('slowing down', () => {
  it('looks at few guesses at the same time', () => {
    const slow = new SlowDown()
    const attempts = Array.from({length: 5}, () => slow.begin('ada', '192.0.2.1'))
    assert.throws(() => slow.begin('ada', '192.0.2.1'), TooManyAttempts)
    slow.begin('ada', '192.0.2.2').succeeded()
    for (const attempt of attempts) attempt.cancelled()
    slow.begin('ada', '192.0.2.1').cancelled()
  })
  it('asks for more patience each time, and forgets with a right password', () => {
    const slow = new SlowDown()
    const attempts = Array.from({length: 5}, () => slow.begin('ada', '::1'))
    const waits: number[] = []
    for (const attempt of attempts) attempt.failed()
    for (let i = 0; i < 12; i++) {
      try {
        slow.begin('ada', '::1')
      } catch (error) {
        assert.ok(error instanceof TooManyAttempts)
        waits.push(error.retryAfterSeconds)
      }
      const told: {pair: string; failed: boolean}[] = []
      const other = new SlowDown()
      other.shareWith(news => told.push(news))
      other.begin('ada', '::1').failed() // as another worker tells
      slow.hear(told[0]!)
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])
  })
  it('takes a network of IPv6 for one address', () => {
    assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), networkOf('2001:0db8:0001:2::'))
    assert.notEqual(networkOf('2001:db8:1:2::1'), networkOf('2001:db8:1:3::1'))
    assert.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
    assert.equal(networkOf('fe80::1%eth0'), networkOf('fe80::2'))
    assert.equal(networkOf('::1'), '0:0:0:0')
  })
})
