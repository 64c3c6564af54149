import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import fc from 'fast-check'
import {InvalidInput} from '../../src/lib/errors.js'
import {longestMetadata, parseCoreMetadata} from '../../src/lib/packaging/metadata.js'

describe('parseCoreMetadata', () => {
  it('reads headers, repeated ones, continued ones and the description', () => {
    const metadata = parseCoreMetadata(
      [
        'Metadata-Version: 2.1',
        'NAME:foo',
        'Version: 1.0',
        'Summary: one',
        '  two',
        'Requires-Python: >=3.8',
        'Requires-Dist: a',
        'Requires-Dist: b ; extra == "x:y"',
        'Keywords: UNKNOWN',
        '',
        'Description: in the body',
        '',
        'end',
      ].join('\r\n'),
    )
    assert.equal(metadata.metadataVersion, '2.1')
    assert.equal(metadata.name, 'foo')
    assert.equal(metadata.summary, 'one two')
    assert.equal(metadata.requiresPython, '>=3.8')
    assert.deepEqual(metadata.requiresDist, ['a', 'b ; extra == "x:y"'])
    assert.equal(metadata.description, 'Description: in the body\r\n\r\nend')
  })

  it('reads the description of old tools', () => {
    const metadata = parseCoreMetadata(
      'Name: foo\nDescription: first\n        second\n        \n            deep\nVersion: 1\n',
    )
    assert.equal(metadata.description, 'first\nsecond\n\n    deep')
    assert.equal(metadata.version, '1')
    assert.equal(parseCoreMetadata('Description: a\n       |b\n').description, 'a\nb')
  })

  it('says nothing for what is absent, empty or UNKNOWN', () => {
    const metadata = parseCoreMetadata('\ufeffName: foo\nSummary: UNKNOWN\nRequires-Python:\n')
    assert.equal(metadata.name, 'foo')
    assert.equal(metadata.summary, undefined)
    assert.equal(metadata.requiresPython, undefined)
    assert.equal(metadata.version, undefined)
  })

  it('lives with bytes that are no UTF-8', () => {
    const metadata = parseCoreMetadata(Buffer.from('Name: foo\nSummary: caf\xe9\n', 'latin1'))
    assert.equal(metadata.name, 'foo')
    assert.equal(metadata.summary, 'caf\ufffd')
  })

  it('refuses two values where installers take one', () => {
    for (const header of ['Name', 'Version', 'Requires-Python'])
      assert.throws(() => parseCoreMetadata(`${header}: a\n${header}: b\n`), InvalidInput)
    assert.equal(parseCoreMetadata('Name: a\nname: a\n').name, 'a')
  })

  it('is bounded and reads any text at once', () => {
    assert.throws(() => parseCoreMetadata('x'.repeat(longestMetadata + 1)), InvalidInput)
    assert.throws(() => parseCoreMetadata('a: b\n'.repeat(100_000)), InvalidInput)
    assert.equal(parseCoreMetadata(`Name: a\n${' x\n'.repeat(1_000_000)}`).version, undefined)
    assert.equal(parseCoreMetadata(`Summary: a${' \n '.repeat(1_000_000)}b`).summary, 'a b')
    assert.equal(parseCoreMetadata('__proto__: x\nconstructor: y\n').name, undefined)
    fc.assert(
      fc.property(fc.string({unit: 'binary'}), input =>
        assert.ok(parseCoreMetadata(input).fields instanceof Map),
      ),
    )
  })
})
