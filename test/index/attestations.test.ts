import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {findProvenance} from '../../src/lib/index/attestations.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {migrateFiles} from '../../src/lib/tasks/migrate/migrate.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {buildWheel} from '../support/wheels.js'
import {freshIndex, openIndex, uploadOf} from './open-index.js'

describe('what attests a file', () => {
  const publish = async (opened: Awaited<ReturnType<typeof freshIndex>>, note: string, overwrite = false) => {
    const wheel = await buildWheel({name: 'acme-core', version: '1.0'})
    const upload = await uploadOf(opened.directory, wheel)
    const subject = [{name: wheel.filename, digest: {sha256: upload.digests.sha256}}]
    const statement = Buffer.from(JSON.stringify({subject})).toString('base64')
    const envelope = {statement, signature: note}
    const attestations = JSON.stringify([{version: 1, verification_material: {}, envelope}])
    await opened.index.publish({...upload, attestations}, {overwrite})
    return wheel.filename
  }
  const texts = async (directory: string) =>
    (await readdir(join(directory, 'packages'))).filter(name => name.includes('.attestations-'))

  it('survives a cache that is gone, and goes with the file', async () => {
    await using opened = await freshIndex()
    const filename = await publish(opened, 'one')
    await using later = await openIndex(opened.directory, {
      'db.url': `sqlite:///${join(opened.directory, 'other.db')}`,
    })
    await rebuildCache({storage: new PackageStorage(later.storage), cache: later.cache}, {owner: 'test'})
    const row = (await later.index.findFile(filename))!
    assert.match((await findProvenance(later.storage, row))!, /"signature":"one"/)
    await later.index.remove(row)
    assert.deepEqual(await texts(opened.directory), [])
  })

  it('is replaced with the file', async () => {
    await using opened = await freshIndex()
    const filename = await publish(opened, 'one')
    await publish(opened, 'two', true)
    const row = (await opened.index.findFile(filename))!
    assert.match((await findProvenance(opened.storage, row))!, /"signature":"two"/)
    assert.equal((await texts(opened.directory)).length, 1)
  })

  it('is carried by a migration', async () => {
    await using from = await freshIndex()
    const filename = await publish(from, 'one')
    await using to = await freshIndex()
    await migrateFiles(from.storage, to.storage)
    await rebuildCache({storage: new PackageStorage(to.storage), cache: to.cache}, {owner: 'test'})
    const row = (await to.index.findFile(filename))!
    assert.match((await findProvenance(to.storage, row))!, /"signature":"one"/)
  })
})
