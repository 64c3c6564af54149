import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import type {AccessWriter} from '../../src/lib/access/access.js'
import {openBackends} from '../../src/lib/backends.js'
import {upgradedHash} from '../../src/lib/access/hash-upgrade.js'
import {hashPassword, verifyPassword, type PasswordScheme} from '../../src/lib/access/passwords/index.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {configWith, tempDir} from '../support/temp.js'

const password = 'correct horse'
const hashed = (scheme: PasswordScheme, rounds: number) => hashPassword(password, {scheme, rounds})

describe('a better hash', () => {
  const cases: [string, PasswordScheme, number, PasswordScheme, number, RegExp | undefined][] = [
    ['of more rounds', 'sha512_crypt', 1000, 'sha512_crypt', 2000, /^\$6\$rounds=2000\$/],
    ['not of fewer', 'sha512_crypt', 3000, 'sha512_crypt', 2000, undefined],
    ['not of as many', 'pbkdf2_sha256', 900, 'pbkdf2_sha256', 900, undefined],
    ['of another scheme', 'bcrypt', 4, 'pbkdf2_sha512', 1000, /^\$pbkdf2-sha512\$1000\$/],
    ['of its family, of as many rounds', 'sha256_crypt', 3000, 'sha512_crypt', 2000, /^\$6\$rounds=3000\$/],
    ['of its family, of more', 'pbkdf2_sha256', 100, 'pbkdf2_sha512', 200, /^\$pbkdf2-sha512\$200\$/],
    ['of argon2, not of less memory', 'argon2', 1, 'argon2', 1, undefined],
  ]
  for (const [title, scheme, rounds, wanted, wantedRounds, expected] of cases) {
    it(title, async () => {
      const stored = await hashed(scheme, rounds)
      const better = await upgradedHash(password, stored, {scheme: wanted, rounds: wantedRounds})
      if (!expected) {
        assert.equal(better, undefined)
        return
      }
      assert.match(better ?? '', expected)
      assert.ok(await verifyPassword(password, better ?? ''))
    })
  }
  it('is not made of a password of which bcrypt saw only the beginning', async () => {
    const long = 'x'.repeat(73)
    const stored = await hashPassword(long, {scheme: 'bcrypt', rounds: 4})
    assert.equal(
      await upgradedHash(`${'x'.repeat(72)}?`, stored, {scheme: 'sha512_crypt', rounds: 1000}),
      undefined,
    )
  })
})

describe('a log-in', () => {
  const withPolicy = async (
    settings: Record<string, string>,
    check: (
      policy: AccessPolicy,
      stored: () => Promise<string | undefined>,
      old: string,
      writer: AccessWriter,
    ) => Promise<void>,
  ) => {
    await using directory = await tempDir()
    const config = await configWith(directory.path, {
      'storage.dir': '%(here)s/packages',
      'db.url': 'sqlite:///%(here)s/cache.db',
      'pypi.auth': 'sql',
      'auth.db.url': 'sqlite:///%(here)s/access.db',
      'auth.scheme': 'pbkdf2_sha256',
      'auth.rounds': '500',
      ...settings,
    })
    await using backends = await openBackends(config, ['access'])
    const {access} = backends
    const old = await hashed('sha256_crypt', 50_000)
    await access.writer!.addAccount({username: 'ada', passwordHash: old, admin: false, pending: false})
    const stored = async () => (await access.findAccount('ada'))?.passwordHash
    await check(new AccessPolicy(access, config), stored, old, access.writer!)
  }

  it('leaves the hash alone, unless auth.upgrade_hashes is set', () =>
    withPolicy({}, async (policy, stored, old) => {
      assert.ok(await policy.authenticate('ada', password))
      assert.equal(await stored(), old)
    }))
  it('with auth.upgrade_hashes stores a better one, and only with the right password', () =>
    withPolicy({'auth.upgrade_hashes': 'true'}, async (policy, stored, old) => {
      assert.equal(await policy.authenticate('ada', 'wrong'), undefined)
      assert.equal(await stored(), old)
      // several at once: one of them writes
      const all = await Promise.all(Array.from({length: 5}, async () => policy.authenticate('ada', password)))
      assert.ok(all.every(identity => identity?.username === 'ada'))
      const better = await stored()
      assert.match(better ?? '', /^\$pbkdf2-sha256\$500\$/)
      assert.ok(await policy.authenticate('ada', password))
      assert.equal(await stored(), better, 'once is enough')
    }))
  it('never brings an old password back that is changed meanwhile', () =>
    withPolicy({'auth.upgrade_hashes': 'true'}, async (policy, stored, _old, writer) => {
      const changed = await hashPassword('the next one', {scheme: 'pbkdf2_sha256', rounds: 500})
      const loggingIn = policy.authenticate('ada', password)
      await writer.setPasswordHash('ada', changed)
      await loggingIn
      assert.equal(await stored(), changed)
    }))
})
