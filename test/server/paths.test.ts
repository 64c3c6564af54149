import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {canonicalUrl} from '../../src/lib/server/http/paths.js'

describe('paths of requests', () => {
  for (const [sent, read, why] of [
    ['/simple/foo/', '/simple/foo/', 'stays'],
    ['/simple/foo?a=%2F', '/simple/foo?a=%2F', 'keeps the query as it is'],
    ['//simple///foo//', '/simple/foo/', 'collapses slashes'],
    ['/simple%2Ffoo/', '/simple/foo/', 'takes %2F for a separator'],
    ['/simple/f%6Fo/', '/simple/foo/', 'decodes what needs no encoding'],
    ['/simple/%C3%BCber/', '/simple/%C3%BCber/', 'keeps UTF-8'],
    ['/simple/Ã¼ber/', '/simple/%C3%BCber/', 'reads raw UTF-8'],
    ['/a%2525b/', '/a%2525b/', 'decodes once'],
    ['http://user:pw@host/simple/', '/simple/', "takes a proxy's absolute form"],
    ['/simple/foo/#sha256=00', '/simple/foo/', 'leaves a fragment to the client'],
    ['/simple/foo/?a=1#b', '/simple/foo/?a=1', 'leaves a fragment after a query to the client'],
    ['/%2Bsimple/foo%2B1%40x/', '/+simple/foo+1@x/', 'has one spelling for what needs no encoding'],
    ['/simple/__proto__/', '/simple/__proto__/', 'has no special names'],
  ] as const) {
    it(`${sent} ${why}`, () => assert.equal(canonicalUrl(sent, ''), read))
  }
  for (const sent of [
    '/simple/%00/',
    '/simple/a%0Ab/',
    '/simple/%7F/',
    '/simple/%FF/',
    '/simple/%C0%AF/',
    '/simple/%ED%A0%80/',
    '/simple/%/',
    '/simple/%zz/',
    '/simple/../admin/',
    '/simple/%2e%2e/admin/',
    '/simple/..%2f..%2fetc/passwd',
    '/simple/./x/',
    '*',
    'simple/',
  ]) {
    it(`${sent} can not be read`, () => assert.equal(canonicalUrl(sent, ''), '/%'))
  }
  it('takes the mount prefix away, where it is one', () => {
    assert.equal(canonicalUrl('/pypi-server/simple/?x=1', '/pypi-server'), '/simple/?x=1')
    assert.equal(canonicalUrl('/pypi-server', '/pypi-server'), '/')
    assert.equal(canonicalUrl('/pypi-serverless/simple/', '/pypi-server'), '/pypi-serverless/simple/')
  })
})
