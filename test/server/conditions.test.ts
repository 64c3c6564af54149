import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {acceptsGzip, preferred, simpleType} from '../../src/lib/server/http/accept.js'
import {
  matchesEtag,
  notModifiedSince,
  parseRange,
  rangeStillValid,
} from '../../src/lib/server/http/conditional.js'
import {basicCredentials} from '../../src/lib/server/http/basic.js'

const simpleJson = 'application/vnd.pypi.simple.v1+json'

describe('Accept of index pages', () => {
  const pip =
    'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01'
  for (const [accept, type] of [
    [undefined, 'text/html'],
    ['*/*', 'text/html'],
    ['text/html', 'text/html'],
    [pip, simpleJson],
    ['application/vnd.pypi.simple.v1+json', simpleJson],
    ['application/vnd.pypi.simple.latest+json', simpleJson],
    ['application/vnd.pypi.simple.v1+json, */*;q=0.1', simpleJson],
    ['text/html, application/vnd.pypi.simple.v1+json;q=0.5', 'text/html'],
    ['application/vnd.pypi.simple.v1+json;q=0, text/html;q=0.1', 'text/html'],
    ['application/vnd.pypi.simple.v1+html', 'application/vnd.pypi.simple.v1+html'],
    ['image/png', 'text/html'],
    [';;;,,,q=', 'text/html'],
  ] as const) {
    it(`${accept ?? 'none'} gets ${type}`, () => assert.equal(simpleType(accept), type))
  }
  it('lets ?format= win', () => {
    assert.equal(simpleType('text/html', 'application/vnd.pypi.simple.v1+json'), simpleJson)
    assert.equal(simpleType('text/html', 'application/vnd.pypi.simple.v1 json'), simpleJson) // a + in a query is a blank
    assert.equal(simpleType(pip, 'nonsense'), simpleJson)
  })
  it('finds no type where none is accepted', () =>
    assert.equal(preferred('image/*', ['text/html']), undefined))
  it('sends gzip only to those who take it', () => {
    assert.ok(acceptsGzip('gzip, deflate, zstd'))
    assert.ok(acceptsGzip('deflate, gzip;q=0.5'))
    assert.ok(!acceptsGzip('identity'))
    assert.ok(!acceptsGzip('gzip;q=0, deflate'))
    assert.ok(!acceptsGzip(undefined))
  })
})

describe('conditions and ranges', () => {
  const modified = new Date('2026-11-20T23:09:52.673Z')
  it('compares ETags in lists, weak ones and *', () => {
    assert.ok(matchesEtag('"a"', '"a"'))
    assert.ok(matchesEtag('"b", W/"a"', '"a"'))
    assert.ok(matchesEtag('*', '"a"'))
    assert.ok(!matchesEtag('"b"', '"a"'))
    assert.ok(!matchesEtag(undefined, '"a"'))
  })
  it('compares dates by whole seconds and ignores what is none', () => {
    assert.ok(notModifiedSince('Fri, 20 Nov 2026 23:09:52 GMT', modified))
    assert.ok(!notModifiedSince('Fri, 20 Nov 2026 23:09:51 GMT', modified))
    assert.ok(!notModifiedSince('yesterday', modified))
  })
  it('answers a range only of the file that the client has the rest of', () => {
    assert.ok(rangeStillValid(undefined, '"a"', modified))
    assert.ok(rangeStillValid('"a"', '"a"', modified))
    assert.ok(!rangeStillValid('"b"', '"a"', modified))
    assert.ok(!rangeStillValid('W/"a"', '"a"', modified))
    assert.ok(rangeStillValid('Fri, 20 Nov 2026 23:09:52 GMT', '"a"', modified))
    assert.ok(!rangeStillValid('Fri, 20 Nov 2026 23:09:53 GMT', '"a"', modified))
  })
  for (const [header, range] of [
    ['bytes=0-9', {start: 0, end: 9}],
    ['bytes=90-', {start: 90, end: 99}],
    ['bytes=-10', {start: 90, end: 99}],
    ['bytes=-1000', {start: 0, end: 99}],
    ['bytes=0-1000', {start: 0, end: 99}],
    ['BYTES = 0 - 0', {start: 0, end: 0}],
    ['bytes=100-', 'none'],
    ['bytes=-0', 'none'],
    ['bytes=9-0', undefined],
    ['bytes=0-1,5-6', undefined],
    ['bytes=-', undefined],
    ['lines=0-9', undefined],
    ['bytes=a-b', undefined],
    [undefined, undefined],
  ] as const) {
    it(`of 100 bytes ${header ?? 'nothing'} is ${JSON.stringify(range)}`, () =>
      assert.deepEqual(parseRange(header, 100), range))
  }
})

describe('Basic credentials', () => {
  const encoded = (text: string | Buffer) => Buffer.from(text).toString('base64')
  it('reads UTF-8, colons in passwords and any case of the scheme', () => {
    assert.deepEqual(basicCredentials(`bAsIc ${encoded('dave:pässwörd')}`), {
      username: 'dave',
      password: 'pässwörd',
    })
    assert.deepEqual(basicCredentials(`Basic ${encoded('carol:a:b')}`), {username: 'carol', password: 'a:b'})
    assert.deepEqual(basicCredentials(`Basic ${encoded('x:')}`), {username: 'x', password: ''})
  })
  for (const header of [
    'Basic !!!',
    `Basic ${encoded('bob')}`,
    'Bearer abc',
    'Basic',
    '',
    `Basic ${encoded(Buffer.from('d:p\xe4', 'latin1'))}`,
    `Basic ${'A'.repeat(20_000)}`,
  ]) {
    it(`${header.slice(0, 30)} counts as none`, () => assert.equal(basicCredentials(header), undefined))
  }
})
