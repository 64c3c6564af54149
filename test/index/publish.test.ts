import assert from 'node:assert/strict'
import {readdir, rm, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {Conflict, InvalidInput, NotFound} from '../../src/lib/errors.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {buildSdist, buildWheel} from '../support/wheels.js'
import {freshIndex, openIndex, uploadOf} from './open-index.js'

const wheel = (options: Partial<Parameters<typeof buildWheel>[0]> = {}) =>
  buildWheel({name: 'acme-core', version: '1.0', ...options})

describe('publishing', () => {
  it('lists the file with what form and archive say, and serves its bytes', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel({summary: 'from the archive', requiresPython: '>=3.8'})
    const {file, outcome} = await index.publish(
      await uploadOf(directory, built, {name: 'Acme.Core', version: '1.0', summary: 'from the form'}),
      {overwrite: false},
    )
    assert.equal(outcome, 'created')
    assert.deepEqual(await index.findFile(built.filename), file)
    assert.equal(file.name, 'acme-core')
    assert.equal(file.summary, 'from the form')
    assert.equal(file.data.requires_python, '>=3.8')
    assert.equal(file.data.size, built.bytes.length)
    assert.equal(file.data.uploader, 'ada')
    assert.match(file.data.upload_time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.match(file.data.hash_md5 ?? '', /^[0-9a-f]{32}$/)
    assert.equal(await text(await index.openFile(file, {start: 0, end: 1})), 'PK')
  })

  it('changes nothing when the same bytes come again', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel()
    const first = await index.publish(await uploadOf(directory, built, {summary: 'first'}), {
      overwrite: false,
    })
    const again = await index.publish(await uploadOf(directory, built, {summary: 'again', uploader: 'bob'}), {
      overwrite: false,
    })
    assert.equal(again.outcome, 'unchanged')
    assert.deepEqual(again.file, first.file)
    assert.deepEqual(await index.findFile(built.filename), first.file)
  })

  it('knows the same bytes without a recorded digest', async () => {
    await using opened = await freshIndex({'pypi.calculate_package_hashes': 'false'})
    const {index, directory} = opened
    const built = await wheel()
    const first = await index.publish(await uploadOf(directory, built), {overwrite: false})
    assert.equal(first.file.data.hash_sha256, undefined)
    assert.equal(
      (await index.publish(await uploadOf(directory, built), {overwrite: false})).outcome,
      'unchanged',
    )
    const other = await wheel({files: {'extra.txt': 'x'}})
    await assert.rejects(index.publish(await uploadOf(directory, other), {overwrite: false}), Conflict)
  })

  it('refuses other bytes under a name that is there, unless the uploader may overwrite', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    await index.publish(await uploadOf(directory, await wheel()), {overwrite: false})
    const other = await wheel({files: {'extra.txt': 'x'}})
    await assert.rejects(
      index.publish(await uploadOf(directory, other), {overwrite: false}),
      (error: Error) => {
        assert.ok(error instanceof Conflict)
        assert.match(error.message, /already exists/)
        return true
      },
    )
    const {outcome} = await index.publish(await uploadOf(directory, other), {overwrite: true})
    assert.equal(outcome, 'replaced')
    const file = await index.findFile(other.filename)
    assert.equal((await index.statFile(file!)).size, other.bytes.length)
    assert.equal(file?.data.size, other.bytes.length)
  })

  it('replaces what is said about the same bytes for those who may overwrite', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel()
    const first = await index.publish(await uploadOf(directory, built, {summary: 'old'}), {overwrite: false})
    const {file} = await index.publish(await uploadOf(directory, built, {summary: 'new'}), {overwrite: true})
    assert.equal(file.summary, 'new')
    assert.equal(file.data.upload_time, first.file.data.upload_time)
    assert.equal((await index.findFile(built.filename))?.summary, 'new')
  })

  it('keeps one object when a file comes again under another spelling of its version', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel()
    await index.publish(await uploadOf(directory, built, {version: '1.0'}), {overwrite: false})
    const again = await index.publish(await uploadOf(directory, built, {version: '1.0.0'}), {
      overwrite: false,
    })
    assert.equal(again.outcome, 'unchanged')
    await index.publish(await uploadOf(directory, built, {version: '1.0.0'}), {overwrite: true})
    const listed = []
    for await (const entry of new PackageStorage(opened.storage).list()) listed.push(entry)
    assert.equal(listed.length, 1)
    assert.equal((await index.findFile(built.filename))?.version, '1.0.0')
  })

  it('refuses wrong digests, damaged archives, and what disagrees with the file name', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel()
    const refused = async (fields: Parameters<typeof uploadOf>[2], change: Partial<typeof built> = {}) => {
      const upload = await uploadOf(directory, {...built, ...change}, fields)
      await assert.rejects(index.publish(upload, {overwrite: true}), InvalidInput)
    }
    await refused({claimed: {sha256: '0'.repeat(64)}})
    await refused({claimed: {md5: '0'.repeat(32)}})
    await refused({name: 'other'})
    await refused({version: '2.0'})
    await refused({version: '../../up'})
    await refused({name: '__proto__'})
    await refused({}, {bytes: built.bytes.subarray(0, 200)})
    await refused({}, {bytes: Buffer.alloc(0)})
    await refused({}, {filename: '../acme_core-1.0-py3-none-any.whl'})
    await refused({}, {filename: 'other-1.0-py3-none-any.whl'})
    assert.deepEqual(await index.listProjects(), [])
    const left = (await readdir(join(directory, 'packages'))).filter(name => !name.startsWith('.'))
    assert.deepEqual(left, [])
  })

  it('refuses a second sdist of a release under another spelling', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await buildSdist({name: 'foo-bar', version: '1.0'})
    await index.publish(await uploadOf(directory, built), {overwrite: false})
    for (const filename of ['foo-bar-1.0.tar.gz', 'Foo.Bar-1.0.tar.gz']) {
      const upload = await uploadOf(directory, {...built, filename})
      await assert.rejects(index.publish(upload, {overwrite: true}), Conflict)
    }
    const zip = await buildSdist({name: 'foo-bar', version: '1.0', format: 'zip'})
    assert.equal((await index.publish(await uploadOf(directory, zip), {overwrite: false})).outcome, 'created')
  })

  it('does not say to which project a file name belongs', async () => {
    await using opened = await freshIndex()
    const {index, directory, cache} = opened
    const built = await wheel()
    const {file} = await index.publish(await uploadOf(directory, built), {overwrite: false})
    await cache.save([{...file, name: 'secret-lib'}])
    await assert.rejects(
      index.publish(await uploadOf(directory, built), {overwrite: true}),
      (error: Error) => {
        assert.ok(error instanceof Conflict)
        assert.doesNotMatch(error.message, /secret/)
        return true
      },
    )
  })

  it('takes projects called like members of every object', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      await index.publish(await uploadOf(directory, await wheel({name})), {overwrite: false})
    }
    assert.deepEqual(await index.listProjects(), ['constructor', 'hasownproperty', 'tostring', 'valueof'])
  })

  it('lets exactly one content win when fifty come at once over two servers', async () => {
    await using opened = await freshIndex()
    await using second = await openIndex(opened.directory)
    const contents = [await wheel(), await wheel({files: {'extra.txt': 'x'}})]
    const results = await Promise.all(
      Array.from({length: 50}, async (_, i) => {
        const server = i % 4 < 2 ? opened.index : second.index
        const content = contents[i % 2]!
        const upload = await uploadOf(opened.directory, content)
        return server.publish(upload, {overwrite: false}).then(
          ({outcome}) => ({i, outcome}),
          (error: unknown) => {
            assert.ok(error instanceof Conflict, String(error))
            return {i, outcome: 'conflict'}
          },
        )
      }),
    )
    assert.equal(results.filter(({outcome}) => outcome === 'created').length, 1)
    const winner = results.find(({outcome}) => outcome === 'created')!.i % 2
    for (const {i, outcome} of results) assert.equal(outcome === 'conflict', i % 2 !== winner)
    const file = await second.index.findFile(contents[0]!.filename)
    assert.equal(file?.data.size, contents[winner]!.bytes.length)
    assert.equal((await opened.index.statFile(file)).size, contents[winner]!.bytes.length)
  })

  it('leaves list and storage agreed when many overwrite at once', async () => {
    await using opened = await freshIndex()
    await using second = await openIndex(opened.directory)
    const contents = await Promise.all(
      [10, 20, 30, 40].map(size => wheel({files: {'extra.txt': 'x'.repeat(size)}})),
    )
    await Promise.all(
      Array.from({length: 24}, async (_, i) => {
        const upload = await uploadOf(opened.directory, contents[i % 4]!)
        await (i % 2 ? opened : second).index.publish(upload, {overwrite: true})
      }),
    )
    const file = await opened.index.findFile(contents[0]!.filename)
    const stored = await new PackageStorage(opened.storage).stat(file!)
    assert.equal(file?.data.fingerprint, stored.data.fingerprint)
    assert.equal(file?.data.hash_sha256, stored.data.hash_sha256)
    assert.equal(file?.data.size, stored.data.size)
  })
})

describe('after a crash', () => {
  it('an object without a row is listed, not overwritten', async () => {
    await using opened = await freshIndex()
    const {index, directory, cache} = opened
    const built = await wheel()
    const {file} = await index.publish(await uploadOf(directory, built, {summary: 'first'}), {
      overwrite: false,
    })
    await cache.remove([file]) // killed between storage and cache
    const other = await wheel({files: {'extra.txt': 'x'}})
    await assert.rejects(index.publish(await uploadOf(directory, other), {overwrite: false}), Conflict)
    assert.equal((await index.findFile(built.filename))?.data.hash_sha256, file.data.hash_sha256)

    await cache.remove([file])
    const {outcome} = await index.publish(await uploadOf(directory, built), {overwrite: false})
    assert.equal(outcome, 'unchanged')
    assert.equal((await index.findFile(built.filename))?.summary, 'first')
    assert.equal((await index.findFile(built.filename))?.data.upload_time, file.data.upload_time)
  })

  it('a row without an object goes when it is asked for, and its name is sealed', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel()
    const {file} = await index.publish(await uploadOf(directory, built), {overwrite: false})
    await rm(join(directory, 'packages', 'acme-core'), {recursive: true})
    await assert.rejects(index.openFile(file), NotFound)
    assert.equal(await index.findFile(built.filename), undefined)
    assert.ok((await index.notes.sealed()).has('acme-core'))
  })

  it('a row without an object does not hinder a new upload', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const built = await wheel()
    await index.publish(await uploadOf(directory, built), {overwrite: false})
    await rm(join(directory, 'packages', 'acme-core'), {recursive: true})
    const other = await wheel({files: {'extra.txt': 'x'}})
    const {file} = await index.publish(await uploadOf(directory, other), {overwrite: false})
    assert.equal((await index.statFile(file)).size, other.bytes.length)
  })
})

describe('removing', () => {
  it('takes object and row, may be repeated, and seals the name with its last file', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const files = []
    for (const version of ['1.0', '1.1']) {
      files.push(
        (await index.publish(await uploadOf(directory, await wheel({version})), {overwrite: false})).file,
      )
    }
    await index.remove(files[0]!)
    assert.ok(!(await index.notes.sealed()).has('acme-core'))
    await index.remove(files[1]!)
    await index.remove(files[1]!)
    assert.deepEqual(await index.listFiles('acme-core'), [])
    await assert.rejects(stat(join(directory, 'packages', 'acme-core', '1.1', files[1]!.filename)))
    await using other = await openIndex(directory)
    assert.ok((await other.index.notes.sealed()).has('acme-core'))
  })

  it('takes the row too that a rebuild writes anew while the object goes', async () => {
    await using opened = await freshIndex()
    const {index, directory, storage, cache} = opened
    const {file} = await index.publish(await uploadOf(directory, await wheel()), {overwrite: false})
    const remove = storage.delete.bind(storage)
    storage.delete = async key => {
      await remove(key)
      await cache.save([{...file, data: {...file.data, fingerprint: 'of the object without its metadata'}}])
    }
    await index.remove(file)
    assert.deepEqual(await index.listFiles('acme-core'), [])
  })

  it('leaves the row of a file that was published again while the old one went', async () => {
    await using opened = await freshIndex()
    const {index, directory, storage, cache} = opened
    const upload = () => wheel().then(built => uploadOf(directory, built))
    const {file} = await index.publish(await upload(), {overwrite: false})
    const remove = storage.delete.bind(storage)
    storage.delete = async key => {
      await remove(key)
      storage.delete = remove
      await using other = await openIndex(directory)
      await other.index.publish(await upload(), {overwrite: false})
    }
    await index.remove(file)
    assert.equal((await cache.listFiles('acme-core')).length, 1)
    assert.ok(!(await index.notes.sealed()).has('acme-core'))
  })

  it('unseals a name that is published again', async () => {
    await using opened = await freshIndex()
    const {index, directory} = opened
    const {file} = await index.publish(await uploadOf(directory, await wheel()), {overwrite: false})
    await index.remove(file)
    await index.publish(await uploadOf(directory, await wheel()), {overwrite: false})
    assert.ok(!(await index.notes.sealed()).has('acme-core'))
  })

  it('does not seal a name of which only upstream files were here', async () => {
    await using opened = await freshIndex()
    const {index, directory, cache} = opened
    const {file} = await index.publish(await uploadOf(directory, await wheel()), {overwrite: false})
    const cached = {...file, data: {...file.data, origin: 'upstream'}}
    await cache.save([cached])
    await index.remove(cached)
    assert.ok(!(await index.notes.sealed()).has('acme-core'))
    assert.deepEqual(await index.listProjects(), [])
  })
})
