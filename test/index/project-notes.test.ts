import assert from 'node:assert/strict'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {NotFound, ProjectClosed} from '../../src/lib/errors.js'
import {IndexPages} from '../../src/lib/index/index-pages.js'
import {yankOf} from '../../src/lib/index/project-facts.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {waitFor} from '../support/wait.js'
import {buildSdist, buildWheel, type BuiltFile} from '../support/wheels.js'
import {freshIndex, openIndex, uploadOf} from './open-index.js'

type Opened = Awaited<ReturnType<typeof openIndex>>

/** acme-core 1.0 as wheel and sdist, and 2.0. */
async function publishAll(opened: Opened & {directory: string}): Promise<BuiltFile[]> {
  const built = await Promise.all([
    buildWheel({name: 'acme-core', version: '1.0'}),
    buildSdist({name: 'acme-core', version: '1.0'}),
    buildWheel({name: 'acme-core', version: '2.0'}),
  ])
  for (const file of built)
    await opened.index.publish(await uploadOf(opened.directory, file), {overwrite: false})
  return built
}

/** Reasons by file name. */
async function yanks({index, cache}: Opened): Promise<Record<string, string>> {
  const facts = await index.projectNotes.of('acme-core')
  return Object.fromEntries(
    (await cache.listFiles('acme-core')).flatMap(file => {
      const reason = yankOf(facts, file)
      return reason === undefined ? [] : [[file.filename, reason]]
    }),
  )
}

const wheel1 = 'acme_core-1.0-py3-none-any.whl'
const sdist1 = 'acme_core-1.0.tar.gz'
const wheel2 = 'acme_core-2.0-py3-none-any.whl'

const place = {root: '../../', address: () => 'https://pypi.example.com/'}

describe('a yank', () => {
  it('is of a release, in any spelling, or of one file, and can be taken back', async () => {
    await using opened = await freshIndex()
    await publishAll(opened)
    const {projectNotes} = opened.index
    await projectNotes.yank('acme-core', '1.0.0', {reason: ' loses\n data '})
    assert.deepEqual(await yanks(opened), {[wheel1]: 'loses data', [sdist1]: 'loses data'})
    await projectNotes.yank('acme-core', wheel2, {})
    await projectNotes.yank('acme-core', '1', {reason: 'again'})
    assert.deepEqual(await yanks(opened), {[wheel1]: 'again', [sdist1]: 'again', [wheel2]: ''})
    await projectNotes.unyank('acme-core', sdist1)
    assert.deepEqual(await yanks(opened), {[wheel1]: 'again', [wheel2]: ''})
    await projectNotes.unyank('acme-core', '1.0')
    await projectNotes.unyank('acme-core', '2.0')
    assert.deepEqual(await yanks(opened), {})
    assert.deepEqual([...(await opened.index.notes.readLasting())!.others.keys()], [])
  })

  it('of what is not here is an error', async () => {
    await using opened = await freshIndex()
    await assert.rejects(opened.index.projectNotes.yank('nowhere', '1.0', {}), NotFound)
    await publishAll(opened)
    await assert.rejects(opened.index.projectNotes.yank('acme-core', '7', {}), /no version and no file "7"/)
  })

  it('of a release is of files that come later, too; of a file it goes with the file', async () => {
    await using opened = await freshIndex()
    const [first] = await publishAll(opened)
    const {index, directory} = opened
    await index.projectNotes.yank('acme-core', '1.0', {reason: 'x'})
    const later = await buildWheel({name: 'acme-core', version: '1.0', build: '2'})
    await index.publish(await uploadOf(directory, later), {overwrite: false})
    assert.equal((await yanks(opened))[later.filename], 'x')
    await index.projectNotes.yank('acme-core', wheel2, {})
    await index.remove((await index.findFile(wheel2))!)
    for (const name of [wheel1, sdist1, later.filename]) await index.remove((await index.findFile(name))!)
    await index.publish(await uploadOf(directory, first!), {overwrite: false})
    assert.deepEqual(await yanks(opened), {})
  })

  it('shows at once on other servers of the cache, and survives a cache that is gone', async () => {
    await using opened = await freshIndex()
    await publishAll(opened)
    const json = 'application/vnd.pypi.simple.v1+json'
    const filesOf = async (pages: IndexPages) => {
      const page = await pages.project('acme-core', json, place)
      return (JSON.parse(page!.body.toString()) as {files: {filename: string; yanked: unknown}[]}).files
    }
    {
      await using other = await openIndex(opened.directory)
      const pages = new IndexPages(other)
      assert.ok((await filesOf(pages)).every(({yanked}) => yanked === false))
      await opened.index.projectNotes.yank('acme-core', '2.0', {reason: 'bad'})
      assert.equal((await filesOf(pages)).find(({filename}) => filename === wheel2)?.yanked, 'bad')
    }
    for (const end of ['', '-wal', '-shm']) await rm(join(opened.directory, `cache.db${end}`), {force: true})
    await using later = await openIndex(opened.directory)
    await rebuildCache({storage: new PackageStorage(later.storage), cache: later.cache}, {owner: 'test'})
    assert.equal(
      (await filesOf(new IndexPages(later))).find(({filename}) => filename === wheel2)?.yanked,
      'bad',
    )
  })

  it('that another server notes without the cache shows a little later', async () => {
    await using opened = await freshIndex()
    await publishAll(opened)
    const pages = new IndexPages(opened)
    const shows = async () =>
      (await pages.project('acme-core', 'text/html', place))!.body.includes('data-yanked')
    assert.equal(await shows(), false)
    // of a server with a cache of its own
    await using other = await openIndex(opened.directory, {
      'db.url': `sqlite:///${join(opened.directory, 'other.db')}`,
    })
    await rebuildCache({storage: new PackageStorage(other.storage), cache: other.cache}, {owner: 'test'})
    await other.index.projectNotes.yank('acme-core', '2.0', {})
    await waitFor('the page shows it', shows, 50)
  })
})

describe('the status of a project', () => {
  it('archived takes no files and gives those that it has', async () => {
    await using opened = await freshIndex()
    await publishAll(opened)
    await opened.index.projectNotes.setStatus('acme-core', 'archived', {reason: 'moved'})
    const next = await uploadOf(opened.directory, await buildWheel({name: 'acme-core', version: '3.0'}))
    await assert.rejects(
      opened.index.publish(next, {overwrite: false}),
      (error: Error) =>
        error instanceof ProjectClosed && /archived and takes no files: moved/.test(error.message),
    )
    const html = (await new IndexPages(opened).project('acme-core', 'text/html', place))!.body.toString()
    assert.match(html, /<meta name="pypi:project-status" content="archived">/)
    assert.match(html, /<meta name="pypi:project-status-reason" content="moved">/)
    assert.ok(html.includes(wheel2))
    await opened.index.projectNotes.setStatus('acme-core', 'active', {})
    await opened.index.publish(next, {overwrite: false})
  })

  it('quarantined offers no file', async () => {
    await using opened = await freshIndex()
    await publishAll(opened)
    await opened.index.projectNotes.setStatus('acme-core', 'quarantined', {})
    const page = await new IndexPages(opened).project(
      'acme-core',
      'application/vnd.pypi.simple.v1+json',
      place,
    )
    const json = JSON.parse(page!.body.toString()) as Record<string, unknown>
    assert.deepEqual(json['files'], [])
    assert.deepEqual(json['project-status'], {status: 'quarantined'})
    assert.deepEqual(json['meta'], {'api-version': '1.4'})
  })

  it('can be set before there is a file, and a damaged note is no status', async () => {
    await using opened = await freshIndex()
    await opened.index.projectNotes.setStatus('constructor', 'archived', {})
    assert.equal((await opened.index.projectNotes.of('constructor')).status?.state, 'archived')
    await opened.index.notes.changeOther('status', () => ({foo: 7, bar: {state: 'odd'}, baz: []}))
    for (const name of ['foo', 'bar', 'baz', 'toString'])
      assert.equal((await opened.index.projectNotes.of(name)).status, undefined)
  })
})
