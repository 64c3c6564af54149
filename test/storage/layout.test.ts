import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {InvalidInput} from '../../src/lib/errors.js'
import {computedKey, hashPrefix, keyOf, parseKey} from '../../src/lib/storage/layout.js'

const foo = {name: 'foo', version: '1.0', filename: 'foo-1.0+l.tar.gz'}

describe('Keys of distribution files', () => {
  it('are those of pypicloud (vectors of 1.3.12)', () => {
    assert.equal(computedKey('tree', foo), 'foo/1.0/foo-1.0+l.tar.gz')
    assert.equal(computedKey('hashed', foo), 'b509/foo/foo-1.0+l.tar.gz')
    assert.equal(computedKey('flat', foo), 'foo/foo-1.0+l.tar.gz')
    assert.deepEqual(['foo-1.1.tar.gz', 'foo-1.0.tar.gz'].map(hashPrefix), ['fd7d', 'f3a9'])
  })

  it('can be read back, with and without a hash', () => {
    assert.deepEqual(parseKey('tree', 'foo/1.0/foo-1.0+l.tar.gz'), foo)
    const parts = {name: 'foo', filename: foo.filename}
    assert.deepEqual(parseKey('hashed', 'b509/foo/foo-1.0+l.tar.gz'), parts)
    assert.deepEqual(parseKey('hashed', 'foo/foo-1.0+l.tar.gz'), parts)
    assert.deepEqual(parseKey('flat', 'foo/foo-1.0+l.tar.gz'), parts)
    for (const key of ['', 'foo', 'a/b/c/d', 'a//c', '/a/b/c'])
      assert.equal(parseKey('tree', key), undefined, key)
    assert.equal(parseKey('hashed', '0000/foo/foo-1.0+l.tar.gz'), undefined)
  })

  it('never lead out of the store', () => {
    const bad = [
      '',
      '.',
      '..',
      '../x',
      'a/b',
      '/a',
      'a\\b',
      '..\\x',
      'a\0b',
      'a\nb',
      'a\x7fb',
      'C:x',
      '\ud800',
      'é'.repeat(126),
    ]
    for (const part of bad) {
      assert.throws(() => computedKey('tree', {...foo, name: part}), InvalidInput, JSON.stringify(part))
      assert.throws(() => computedKey('tree', {...foo, version: part}), InvalidInput, JSON.stringify(part))
      assert.throws(() => computedKey('hashed', {...foo, filename: part}), InvalidInput, JSON.stringify(part))
    }
    for (const filename of ['.hidden', 'foo-1.0.zip.meta']) {
      assert.throws(() => computedKey('tree', {...foo, filename}), InvalidInput)
    }
  })

  it('are the recorded ones in buckets, and in a tree when they name the same file', () => {
    assert.equal(keyOf('hashed', {...foo, data: {path: 'old/foo.zip'}}), 'old/foo.zip')
    assert.equal(keyOf('tree', {...foo, data: {path: `FOO/1.0/${foo.filename}`}}), `FOO/1.0/${foo.filename}`)
    for (const path of [
      'b509/foo/foo-1.0+l.tar.gz',
      'bar/1.0/foo-1.0+l.tar.gz',
      '../foo/1.0/foo-1.0+l.tar.gz',
    ]) {
      assert.equal(keyOf('tree', {...foo, data: {path}}), 'foo/1.0/foo-1.0+l.tar.gz')
    }
  })
})
