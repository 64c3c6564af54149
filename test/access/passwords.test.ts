import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {
  decoyHash,
  hashPassword,
  hashProblem,
  passwordSchemes,
  verifyPassword,
  type PasswordScheme,
} from '../../src/lib/access/passwords/index.js'
import {fixtures} from '../support/paths.js'

interface Generated {
  readonly args: readonly string[]
  readonly plaintext: string
  readonly hash: string | null
}

describe('hashes that pypicloud made', () => {
  const generated = JSON.parse(readFileSync(join(fixtures, 'passwords.json'), 'utf8')) as Generated[]
  for (const {args, plaintext, hash} of generated) {
    if (hash === null) continue
    it(`lets in with ${args.slice(1).join(' ') || 'the defaults'} of ${plaintext.length} characters`, async () => {
      assert.equal(await verifyPassword(plaintext, hash), true)
      assert.equal(await verifyPassword(`!${plaintext}`, hash), false)
      assert.equal(await verifyPassword('', hash), false)
    })
  }

  const vectors = [
    '$6$rounds=20500$np4lyya2m/BtVDnL$RaM7SYe9l.8CORhPjSmpTcnU6wLe8jKj1cuaSm/YbbnlxUGDRfKlX206zyyDLSBPKd5SuITp1XGt1RsYnV9DT/',
    '$6$bRPMP4FgL0EQDzdK$8T4AKo5tZTl/N6CvjdnkciKO23QYTNA2g14.TjZxlY17/3MDyZBW3G99GTkmhtB3d1HqS7a.lkSpWddbrLWGP0',
    '$5$rounds=16000$DbpeHNGO25LUtKDL$GtLvoeI6tqFej9z2fvWU2idpNjyTgYIIQTCtvMmzoF5',
    '$pbkdf2-sha512$10500$DIGwttZ6j5HyntM6x7hX6g$0MN9kAMRpWHmjvL0f2ETh3TwOz5Hk418E34g24xcEFBOrSOm.ru0Z1xlhTNOBRwSfqDvftSZfmYv0BTBFAMfMA',
    '$pbkdf2-sha256$13000$iFFKCeF8j7FWyrmXEiJkzA$d95GEhzLq.LuuMJuCEu6KxsT9zxfPm5HISOICxEwRhs',
    '$2b$07$JXV94Q5hb6BKXGAS2KKiQOmkXEmVieDrtE9UZdByb3RCpsmqAkrJa',
    '$argon2id$v=19$m=65536,t=1,p=4$TOndu9faW2tNaa117r33Pg$aMz/3piHRVSXu3UMNXZto1yQg4BF9p4LxaaxE7fTxns',
  ]
  for (const hash of vectors) {
    it(`lets in with ${hash.slice(0, 18)}`, async () => {
      assert.equal(await verifyPassword('pw', hash), true)
      assert.equal(await verifyPassword('pW', hash), false)
    })
  }
  it('lets in with the hash of the documentation', async () => {
    const hash = '$5$rounds=80000$yiWi67QBJLDTvbI/$d6qIG/bIoM3hp0lxH8v/vzxg8Qc4CJbxbxiUH4MlnE7'
    assert.equal(await verifyPassword('gunface', hash), true)
  })
})

describe('hashes of other writers', () => {
  const long = 'pässwörd ✓ and a rather long one that goes on for more than sixty-four bytes, so it does'
  const known: [string, string][] = [
    ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    ['Hello world!', '$5$rounds=1001$odd$HFsymPaMtH3dYeUw0GohybzWZQcoaazUCGnZJ49qVV.'],
    [
      'Hello world!',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      'Hello world!',
      '$6$rounds=1001$odd$EiahbWrMIoYU7V0tW/zSXCp36FdD4Lh/thH9QGr6nNyO7S0zZRHigRX1/XYPrhP2ShvQExCpeTPRAK3uyUn/1/',
    ],
    [long, '$5$saltstring$wbjmpPfG/8k7GG6RxrwL9fnDauracyf9LQ1XO3y7MZ.'],
    [
      long,
      '$6$rounds=1001$odd$WSvz8nvYI2cJPG15wjMGT1a9lSpoFkrGNCwNtWIqUdsV496Z.58CZ2hzpL1z1UH3E3C2SY5JQ4COUw9KQJznh0',
    ],
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ]
  it('let in with openssl and crypt_blowfish', async () => {
    for (const [password, hash] of known) {
      assert.equal(await verifyPassword(password, hash), true, hash)
      assert.equal(await verifyPassword(password.slice(1), hash), false, hash)
    }
  })
  it('lets in with argon2i and argon2d', async () => {
    const hashes = [
      '$argon2d$v=19$m=512,t=3,p=2$sYCexY1nFmWcMGyPfJ5zpw$Q/wGbebMFCl6YmwID3DevwYSdWBIxYu81ArieOmXdJw',
      '$argon2i$v=19$m=512,t=3,p=2$N+6kufR+dfl9aBhrbPszDw$J9nzSox++wuf7Zo1HfrblC5eDvrsanERXtQqRKlc29s',
      '$argon2id$v=19$m=512,t=3,p=2$ilXYoq/tR5fJfNoNTUHjng$quszXCSTgWoevPMnNH/pT2N4ZngvaE1LRydU+97VDbc',
    ]
    for (const hash of hashes) {
      assert.equal(await verifyPassword('pw', hash), true, hash)
      assert.equal(await verifyPassword('px', hash), false, hash)
    }
  })
})

describe('hashPassword', () => {
  for (const scheme of passwordSchemes) {
    it(`makes what verifies as ${scheme}`, async () => {
      for (const password of ['', 'pw', 'pässwörd ✓ 🔑', 'x'.repeat(300)]) {
        const hash = await hashPassword(password, {scheme, rounds: scheme === 'bcrypt' ? 4 : 1})
        assert.equal(await verifyPassword(password, hash), true, hash)
        assert.equal(await verifyPassword(`y${password}`, hash), false, hash)
      }
    })
  }
  it('writes what passlib writes by default', async () => {
    const forms: [PasswordScheme, RegExp][] = [
      ['sha512_crypt', /^\$6\$rounds=20500\$[./\w]{16}\$[./\w]{86}$/],
      ['sha256_crypt', /^\$5\$rounds=16000\$[./\w]{16}\$[./\w]{43}$/],
      ['pbkdf2_sha512', /^\$pbkdf2-sha512\$10500\$[./\w]{22}\$[./\w]{86}$/],
      ['pbkdf2_sha256', /^\$pbkdf2-sha256\$13000\$[./\w]{22}\$[./\w]{43}$/],
      ['bcrypt', /^\$2b\$07\$[./\w]{53}$/],
      ['argon2', /^\$argon2id\$v=19\$m=65536,t=1,p=4\$[+/\w]{22}\$[+/\w]{43}$/],
    ]
    for (const [scheme, form] of forms) assert.match(await hashPassword('pw', {scheme}), form)
    assert.match(await hashPassword('pw'), forms[0]![1])
  })
  it('leaves out 5000 rounds of sha-crypt, and raises too few', async () => {
    assert.match(await hashPassword('pw', {rounds: 5000}), /^\$6\$[./\w]{16}\$/)
    assert.match(await hashPassword('pw', {rounds: 3}), /^\$6\$rounds=1000\$/)
    assert.match(await hashPassword('pw', {scheme: 'bcrypt', rounds: 1}), /^\$2b\$04\$/)
    assert.match(await hashPassword('pw', {scheme: 'argon2', rounds: 0}), /,t=1,/)
  })
  it('refuses NUL, endless passwords and endless rounds', async () => {
    await assert.rejects(hashPassword('a\0b'), {code: 'PPC_INVALID_INPUT'})
    await assert.rejects(hashPassword('x'.repeat(4097)), {code: 'PPC_INVALID_INPUT'})
    await assert.rejects(hashPassword('x', {rounds: 999_999_999}), {code: 'PPC_INVALID_INPUT'})
    await assert.rejects(hashPassword('x', {scheme: 'bcrypt', rounds: 31}), {code: 'PPC_INVALID_INPUT'})
  })
})

describe('a stored hash that is no use', () => {
  const useless = [
    '',
    'plain password',
    '$6$',
    '$6$rounds=20500$np4lyya2m',
    '$6$rounds=999999999$np4lyya2m/BtVDnL$RaM7SYe9l.8CORhPjSmpTcnU6wLe8jKj1cuaSm/YbbnlxUGDRfKlX206zyyDLSBPKd5SuITp1XGt1RsYnV9DT/',
    '$6$rounds=-5$np4lyya2m/BtVDnL$RaM7SYe9l.8CORhPjSmpTcnU6wLe8jKj1cuaSm/YbbnlxUGDRfKlX206zyyDLSBPKd5SuITp1XGt1RsYnV9DT/',
    '$pbkdf2-sha512$4294967295$DIGwttZ6j5HyntM6x7hX6g$0MN9kAMRpWHmjvL0f2ETh3TwOz5Hk418E34g24xcEFBOrSOm.ru0Z1xlhTNOBRwSfqDvftSZfmYv0BTBFAMfMA',
    '$pbkdf2-sha256$13000$iFFKCeF8j7FWyrmXEiJkzA$d95G',
    '$2b$31$JXV94Q5hb6BKXGAS2KKiQOmkXEmVieDrtE9UZdByb3RCpsmqAkrJa',
    '$2x$07$JXV94Q5hb6BKXGAS2KKiQOmkXEmVieDrtE9UZdByb3RCpsmqAkrJa',
    '$2b$07$JXV94Q5hb6BKX',
    '$argon2id$v=19$m=4294967295,t=1,p=4$TOndu9faW2tNaa117r33Pg$aMz/3piHRVSXu3UMNXZto1yQg4BF9p4LxaaxE7fTxns',
    '$argon2id$v=19$m=65536,t=1,p=4$TOndu9faW2tNaa117r33Pg',
    `$6$${'a'.repeat(100_000)}`,
    '__proto__',
  ]
  it('lets nobody in, says why and takes no time', async () => {
    const start = performance.now()
    for (const hash of useless) {
      assert.equal(await verifyPassword('pw', hash), false, hash)
      assert.match(hashProblem(hash) ?? '', /\w/, hash)
    }
    assert.ok(performance.now() - start < 30_000) // one of them asks for so many rounds that it would take minutes
  })
  it('is not what a password that is too long meets', async () => {
    const hash = await hashPassword('x', {rounds: 1000})
    assert.equal(await verifyPassword('x'.repeat(1_000_000), hash), false)
    assert.equal(await verifyPassword('x\0', hash), false)
  })
  it('is stood in for by a decoy that verifies as any other', async () => {
    for (const scheme of passwordSchemes) {
      const decoy = decoyHash(scheme)
      assert.equal(hashProblem(decoy), undefined, decoy)
      assert.equal(await verifyPassword('pw', decoy), false, decoy)
    }
  })
})

describe('many log-ins at once', () => {
  it('leave the event loop free, and past the queue are refused', async () => {
    const hash = await hashPassword('pw', {rounds: 200_000})
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const results = await Promise.allSettled(Array.from({length: 8}, () => verifyPassword('pw', hash)))
    clearInterval(timer)
    assert.ok(results.every(result => result.status === 'fulfilled' && result.value))
    assert.ok(ticks > 10, `${ticks} ticks`)

    const cheap = await hashPassword('pw', {rounds: 1000})
    const flood = await Promise.allSettled(Array.from({length: 2000}, () => verifyPassword('pw', cheap)))
    const refused = flood.filter(result => result.status === 'rejected')
    assert.ok(refused.length > 0 && refused.length < 2000)
    for (const {reason} of refused) assert.equal((reason as {code?: string}).code, 'PPC_UNAVAILABLE')
  })
})
