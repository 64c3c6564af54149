import assert from 'node:assert/strict'
import {mkdir, rm, utimes} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {Notes} from '../../src/lib/index/notes.js'
import {tempDir} from '../support/temp.js'
import {cacheEqualsStorage, directory, fileOf, installationOf, rowsOf} from '../tasks/rebuild-places.js'
import {tool} from './tool.js'

describe('ppc sync-replay', () => {
  const sqlite = {'db.url': 'sqlite:///%(here)s/cache.db'}
  const settings = async () => {
    await using place = await directory.start()
    return {...(await place.fresh()), ...sqlite}
  }

  it('does what lost events would have done, and nothing with --dry-run', async () => {
    await using index = await installationOf(await settings())
    await index.put('old-and-unlisted', '1.0')
    const twoDaysAgo = new Date(Date.now() - 48 * 3600_000)
    const old = index.dir.join('packages/old-and-unlisted/1.0/old-and-unlisted-1.0.tar.gz')
    await utimes(old, twoDaysAgo, twoDaysAgo)
    await index.put('fresh', '1.0')
    await index.cache.save([await index.put('known', '1.0'), fileOf('gone', '1.0')])
    await index.put('changed', '1.0')
    await index.cache.save([{...fileOf('changed', '1.0'), data: {fingerprint: 'old', size: 1}}])
    const before = await rowsOf(index.cache)

    const dry = await tool(
      index.dir.path,
      'ppc sync-replay server.ini --since 24h --dry-run --exit-code --json',
    )
    assert.equal(dry.code, 4, dry.stderr)
    const {added, updated, removed, unchanged, listed} = JSON.parse(dry.stdout) as Record<string, number>
    assert.deepEqual(
      {added, updated, removed, unchanged, listed},
      {added: 1, updated: 1, removed: 1, unchanged: 1, listed: 4},
    )
    assert.deepEqual(await rowsOf(index.cache), before)

    const {code, stdout, stderr} = await tool(index.dir.path, 'ppc sync-replay server.ini --since 24h')
    assert.equal(code, 0, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, /added: fresh-1\.0\.tar\.gz/)
    assert.match(stderr, /gone has no files any more; its name stays reserved\n/)
    assert.match(stderr, /Done: 1 added, 1 updated, 1 removed; looked at 4 of 4/)
    const names = Object.keys(await rowsOf(index.cache))
    assert.deepEqual(names, ['changed-1.0.tar.gz', 'fresh-1.0.tar.gz', 'known-1.0.tar.gz'])
    assert.deepEqual([...(await new Notes(index.storage.store).sealed())], ['gone'])

    await tool(index.dir.path, 'ppc sync-replay server.ini --since 7d -q')
    assert.equal(await cacheEqualsStorage(index), 4)
  })
  it('empties no cache when the storage lists nothing at all', async () => {
    await using index = await installationOf(await settings())
    await index.cache.save(Array.from({length: 20}, (_, number) => fileOf('some', `1.${number}`)))
    await rm(index.dir.join('packages'), {recursive: true})
    await mkdir(index.dir.join('packages'))
    const {code, stderr} = await tool(index.dir.path, 'ppc sync-replay server.ini --since 1h')
    assert.equal(code, 1)
    assert.match(stderr, /lists nothing at all, while the cache has 20 files: nothing was removed/)
    assert.equal(await index.cache.countFiles(), 20)
  })
  it('refuses a time that is none', async () => {
    await using dir = await tempDir()
    const {code, stderr} = await tool(dir.path, 'ppc sync-replay server.ini --since yesterday')
    assert.equal(code, 2)
    assert.match(stderr, /--since: expected a date/)
  })
})

describe('ppc sync-serve', () => {
  it('refuses a storage of which nobody sends events', async () => {
    await using index = await installationOf({
      'pypi.storage': 'file',
      'storage.dir': '%(here)s/packages',
      'db.url': 'sqlite:///%(here)s/cache.db',
    })
    const {code, stderr} = await tool(index.dir.path, 'ppc sync-serve server.ini --port 0')
    assert.equal(code, 2)
    assert.match(stderr, /pypi\.storage: nobody sends events of "file"/)
  })
})
