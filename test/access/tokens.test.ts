import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {createSignupToken, readSignupToken} from '../../src/lib/access/tokens.js'

const token = 'newb:1795216387:cc52ec73580e3f44b4ffe7b044b7bb9e9f8bafba71605cec20b2947fe392a979'
const options = {key: 'secretkey', expireSeconds: 604_800, now: 1_795_216_400}

describe('a signup token', () => {
  it('is byte for byte what pypicloud makes', () => {
    assert.equal(createSignupToken('newb', 'secretkey', 1_795_216_387), token)
    assert.equal(readSignupToken(token, options), 'newb')
    assert.equal(readSignupToken(createSignupToken('now', 'k'), {key: 'k', expireSeconds: 10}), 'now')
  })
  it('is no good when expired, from the future, forged or without a key', () => {
    const refused: [string, Partial<Omit<typeof options, 'key'> & {key: string | undefined}>][] = [
      [token, {now: options.now + 604_800}],
      [token, {now: 1_795_216_387 - 301}],
      [token, {key: 'other'}],
      [token, {key: undefined}],
      [token, {key: ''}],
      [token.replace('newb', 'ada'), {}],
      [token.replace(/.$/, '0'), {}],
      [`a:${token}`, {}],
      ['', {}],
      [':::', {}],
      ['newb', {}],
      [`newb:x:${'0'.repeat(64)}`, {}],
      [`newb:1795216387:${'é'.repeat(64)}`, {}],
    ]
    for (const [text, changed] of refused) {
      assert.equal(readSignupToken(text, {...options, ...changed}), undefined, text)
    }
    assert.equal(readSignupToken(token, {...options, now: 1_795_216_387 - 299}), 'newb')
  })
})
