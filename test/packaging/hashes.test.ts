import assert from 'node:assert/strict'
import {Readable} from 'node:stream'
import {describe, it} from 'node:test'
import {InvalidInput} from '../../src/lib/errors.js'
import {checkDigests, Digester, equalDigests, hashStream} from '../../src/lib/packaging/hashes.js'

/** Of "hello", by coreutils' sha256sum, md5sum and b2sum -l 256. */
const hello = {
  sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
  md5: '5d41402abc4b2a76b9719d911017c592',
  blake2_256: '324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf',
}

describe('Digester', () => {
  it('digests and counts what passes by', () => {
    const digester = new Digester()
    digester.update(Buffer.from('hel')).update(Buffer.from('lo'))
    assert.equal(digester.size, 5)
    assert.deepEqual(digester.digest(), {sha256: hello.sha256, md5: hello.md5})
  })

  it('adds BLAKE2 when asked, for several files at a time', async () => {
    const streams = ['hello', 'other', 'hello'].map(text =>
      Readable.from([Buffer.from(text.slice(0, 2)), Buffer.from(text.slice(2))]),
    )
    const [first, second, third] = await Promise.all(
      streams.map(stream => hashStream(stream, {blake2: true})),
    )
    assert.deepEqual(first, {...hello, size: 5})
    assert.deepEqual(third, first)
    assert.notEqual(second?.blake2_256, hello.blake2_256)
  })
})

describe('checkDigests', () => {
  it('takes hex of either case, urlsafe base64 of MD5 and BLAKE2, and no claim', () => {
    const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
    checkDigests(hello, hello)
    checkDigests({sha256: hello.sha256.toUpperCase(), md5: ` ${hello.md5}\n`}, hello)
    checkDigests({md5: base64(hello.md5), blake2_256: `${base64(hello.blake2_256)}=`}, hello)
    checkDigests({sha256: '', md5: undefined}, hello)
    checkDigests({blake2_256: '00'}, {sha256: hello.sha256, md5: hello.md5}) // not computed
  })

  it('refuses wrong and malformed ones and names them', () => {
    for (const [kind, claim] of [
      ['sha256', hello.sha256.replace('2', '3')],
      ['sha256', Buffer.from(hello.sha256, 'hex').toString('base64url')],
      ['sha256', 'zz'],
      ['md5', hello.sha256],
      ['md5', '%%'],
      ['blake2_256', hello.blake2_256.replace('3', '4')],
    ] as const)
      assert.throws(
        () => checkDigests({[kind]: claim}, hello),
        (error: unknown) =>
          error instanceof InvalidInput &&
          error.message.includes(kind) &&
          error.message.includes(hello[kind]),
        claim,
      )
  })
})

describe('equalDigests', () => {
  it('compares hex of either case', () => {
    assert.ok(equalDigests(hello.md5, hello.md5.toUpperCase()))
    assert.equal(equalDigests(hello.md5, hello.sha256), false)
    assert.equal(equalDigests(hello.md5, hello.md5.replace('5', '6')), false)
  })
})
