import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {fitMetadata} from '../../src/lib/storage/fit-metadata.js'

const bytesOf = (metadata: Readonly<Record<string, string>>) =>
  Buffer.byteLength(Object.entries(metadata).flat().join(''))

describe('metadata that a service would refuse', () => {
  const must = {name: 'tool', version: '1.0'}

  it('stays as it is while it fits', () => {
    const metadata = {...must, summary: 'x'.repeat(100)}
    assert.equal(fitMetadata(metadata, bytesOf(metadata)), metadata)
  })

  it('loses the end of its summary first, and no half letters', () => {
    const metadata = {...must, summary: `${'開'.repeat(50)} ${'開'.repeat(50)}`, hash_sha256: 'ab'.repeat(32)}
    for (let limit = 200; limit < 210; limit += 1) {
      const fitted = fitMetadata(metadata, limit)
      assert.match(fitted['summary'] ?? '', /^開{20,}$/)
      assert.ok(bytesOf(fitted) <= limit && bytesOf(fitted) > limit - 4)
      assert.deepEqual({...fitted, summary: metadata.summary}, metadata)
    }
  })

  it('then loses the longest of the others, never name and version', () => {
    const metadata = {...must, summary: 'x', uploader: 'u'.repeat(300), requires_python: '>=3', hash_md5: 'm'}
    assert.deepEqual(fitMetadata(metadata, 100), {...must, requires_python: '>=3', hash_md5: 'm'})
    assert.deepEqual(fitMetadata(metadata, 20), must)
    assert.deepEqual(fitMetadata({name: 'n'.repeat(50), version: '1', summary: 's'}, 20), {
      name: 'n'.repeat(50),
      version: '1',
    })
  })
})
