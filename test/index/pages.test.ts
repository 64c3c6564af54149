import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {gunzipSync} from 'node:zlib'
import {IndexPages, type Page} from '../../src/lib/index/index-pages.js'
import {PageCache} from '../../src/lib/index/page-cache.js'
import {renderAllFiles} from '../../src/lib/index/pages/all-files.js'
import {legacyProject, legacyReleases} from '../../src/lib/index/pages/legacy-json.js'
import {addressBelow} from '../../src/lib/index/pages/markup.js'
import {renderListHtml, renderListJson} from '../../src/lib/index/pages/project-list.js'
import {projectDetail, type ProjectDetail} from '../../src/lib/index/pages/project-detail.js'
import {renderProjectHtml} from '../../src/lib/index/pages/project-html.js'
import {renderProjectJson} from '../../src/lib/index/pages/project-json.js'
import {factsOf} from '../../src/lib/index/project-facts.js'
import {newestFirst} from '../../src/lib/index/releases.js'
import type {DistFile, DistFileData} from '../../src/lib/packaging/dist-file.js'
import {buildWheel} from '../support/wheels.js'
import {freshIndex, openIndex, uploadOf} from './open-index.js'

const file = (filename: string, version: string, data: DistFileData = {}, name = 'foo'): DistFile => ({
  filename,
  name,
  version,
  lastModified: new Date('2026-01-02T03:04:05.678Z'),
  summary: null,
  data,
})
const place = {root: '../../', address: () => 'https://pypi.example.com/'}
/** @param notes as the storage keeps them. @param root of the addresses. */
const detailOf = (files: DistFile[], notes: Record<string, unknown> = {}, root = '../../'): ProjectDetail => {
  const address = addressBelow(root)
  const facts = factsOf(new Map(Object.entries(notes)), 'foo')
  const detail = projectDetail('foo', files, {
    facts,
    addressOf: address,
    addressHere: address,
    attestedBelow: root,
  })
  assert.ok(detail)
  return detail
}
const parse = (text: string | Buffer) => JSON.parse(String(text)) as Record<string, unknown>

describe('the page of a project', () => {
  const sha = 'a'.repeat(64)
  const page = detailOf([
    file('foo-1.10.tar.gz', '1.10', {hash_sha256: sha, size: 5, requires_python: '>=2.7, <4, "x"'}),
    file('Foo-1.9.tar.gz', '1.9', {size: 0, upload_time: '2026-11-20T23:09:52.673762Z'}),
    file('foo-1!2+l#ü .zip', '1!2+l', {size: 1}),
  ])

  it('as HTML has anchors as pypicloud writes them, with relative and encoded links', () => {
    const html = renderProjectHtml(page).toString()
    const lines = html.split('\n').filter(line => line.includes('<a '))
    assert.deepEqual(lines, [
      '    <a href="../../api/package/foo/foo-1%212%2Bl%23%C3%BC%20.zip">foo-1!2+l#ü .zip</a><br>',
      `    <a href="../../api/package/foo/foo-1.10.tar.gz#sha256=${sha}" data-requires-python="&gt;=2.7, &lt;4, &#34;x&#34;">foo-1.10.tar.gz</a><br>`,
      '    <a href="../../api/package/foo/Foo-1.9.tar.gz">Foo-1.9.tar.gz</a><br>',
    ])
    assert.match(html, /<meta name="pypi:repository-version" content="1\.4">/)
    assert.match(html, /<title>Package Index<\/title>/)
  })

  it('as JSON has the members of PEP 691 and PEP 700', () => {
    const json = parse(renderProjectJson(page))
    assert.deepEqual(json['meta'], {'api-version': '1.4'})
    assert.deepEqual(json['versions'], ['1.9', '1.10', '1!2+l'])
    assert.deepEqual((json['files'] as unknown[]).slice(1), [
      {
        filename: 'foo-1.10.tar.gz',
        url: '../../api/package/foo/foo-1.10.tar.gz',
        hashes: {sha256: sha},
        'requires-python': '>=2.7, <4, "x"',
        size: 5,
        'upload-time': '2026-01-02T03:04:05.678000Z',
        yanked: false,
        provenance: null,
      },
      {
        filename: 'Foo-1.9.tar.gz',
        url: '../../api/package/foo/Foo-1.9.tar.gz',
        hashes: {},
        size: 0,
        'upload-time': '2026-11-20T23:09:52.673762Z',
        yanked: false,
        provenance: null,
      },
    ])
  })

  it('claims an API version without sizes as long as one is unknown', () => {
    const json = parse(renderProjectJson(detailOf([file('foo-1.tar.gz', '1')])))
    assert.deepEqual(json['meta'], {'api-version': '1.0'})
  })

  it('keeps markup in names and fields harmless', () => {
    const bad = '"><script>alert(1)</script>\'&'
    const html = renderProjectHtml(
      detailOf(
        [
          file(bad, '1', {
            requires_python: bad,
            hash_sha256: bad,
            core_metadata_sha256: bad,
            attestations: bad,
          }),
        ],
        {
          status: {foo: {state: 'archived', reason: bad, since: ''}},
          yanked: {foo: {files: {[bad]: {reason: bad, since: ''}}, versions: {}}},
        },
      ),
    )
    assert.ok(!html.includes('<script'))
    assert.ok(!renderListHtml([bad]).includes('<script'))
  })
})

describe('other pages', () => {
  it('the list of projects links to each', () => {
    assert.match(renderListHtml(['constructor', 'foo']), /<a href="foo\/">foo<\/a><br>\n/)
    assert.deepEqual(parse(renderListJson(['foo'])), {
      meta: {'api-version': '1.4'},
      projects: [{name: 'foo'}],
    })
  })

  it('the page of all files links to each', async () => {
    let html = ''
    for await (const piece of renderAllFiles([[[file('foo-1+l.tar.gz', '1')], addressBelow('../')]]))
      html += piece
    assert.match(html, /<a href="\.\.\/api\/package\/foo\/foo-1%2Bl\.tar\.gz">foo-1\+l\.tar\.gz<\/a>/)
    html = ''
    for await (const piece of renderAllFiles([])) html += piece
    assert.match(html, /There are no packages/)
  })

  it('files of one project come newest first', () => {
    const files = ['1.0', '1.10', '2.0rc1', '1!0.1', 'banana'].map(version =>
      file(`foo-${version}.tar.gz`, version),
    )
    files.push(file('foo_-1.10.whl', '1.10'))
    assert.deepEqual(
      newestFirst(files).map(({filename}) => filename),
      [
        'foo-1!0.1.tar.gz',
        'foo-2.0rc1.tar.gz',
        'foo_-1.10.whl',
        'foo-1.10.tar.gz',
        'foo-1.0.tar.gz',
        'foo-banana.tar.gz',
      ],
    )
  })
})

describe('the JSON description of a project', () => {
  const legacyOf = (files: DistFile[], version?: string, notes?: Record<string, unknown>) => {
    const releases = legacyReleases(detailOf(files, notes, 'http://localhost:6543/'), version)
    return releases && legacyProject('Foo', releases)
  }

  it('has the members that pypicloud gives', () => {
    const data = {hash_sha256: 'ab', hash_md5: 'cd', requires_python: '>=3', size: 7}
    const value = legacyOf([file('foo-1.0.tar.gz', '1.0', data), file('foo-2.0b2.zip', '2.0b2')])
    const {name, license, classifiers, version} = value!.info
    assert.deepEqual(
      {name, license, classifiers, version},
      {name: 'Foo', license: '', classifiers: [], version: '2.0b2'},
    )
    assert.deepEqual(Object.keys(value!.releases), ['2.0b2', '1.0'])
    assert.deepEqual(value!.releases['1.0'], [
      {
        filename: 'foo-1.0.tar.gz',
        packagetype: 'sdist',
        python_version: 'source',
        url: 'http://localhost:6543/api/package/foo/foo-1.0.tar.gz',
        requires_python: '>=3',
        digests: {md5: 'cd', sha256: 'ab'},
        md5_digest: 'cd',
        size: 7,
        upload_time: '2026-01-02T03:04:05',
        upload_time_iso_8601: '2026-01-02T03:04:05.678000Z',
        yanked: false,
        yanked_reason: null,
        comment_text: null,
        downloads: -1,
        has_sig: false,
      },
    ])
    assert.equal(value!.urls?.[0]?.filename, 'foo-2.0b2.zip')
    assert.equal(value!.urls[0].packagetype, '')
  })

  it('lists the files of odd versions, and of one that is asked for', () => {
    const files = [
      file('foo-1.0-SNAPSHOT.tar.gz', '1.0-SNAPSHOT'),
      file('foo-0.9-1.tar.gz', '0.9-1'),
      file('weird.rpm', '1'),
    ]
    const value = legacyOf(files)
    assert.equal(value?.info.version, '0.9.post1')
    assert.deepEqual(
      value.urls?.map(({filename}) => filename),
      ['foo-0.9-1.tar.gz'],
    )
    assert.equal(legacyOf(files, '0.9.post1')?.urls?.length, 1)
    assert.equal(legacyOf(files, '7'), undefined)
    assert.deepEqual(legacyOf([files[2]!])?.releases, {})
  })

  it('says what is yanked, and describes another release where there is one', () => {
    const files = [file('foo-1.0.tar.gz', '1.0'), file('foo-2.0.tar.gz', '2.0')]
    const notes = {yanked: {foo: {versions: {'2.0.0': {reason: 'broken', since: ''}}, files: {}}}}
    const value = legacyOf(files, undefined, notes)!
    assert.equal(value.info.version, '1.0')
    assert.equal(value.info.yanked, false)
    const [file2] = value.releases['2.0']!
    assert.deepEqual([file2?.yanked, file2?.yanked_reason], [true, 'broken'])
    const yanked = legacyOf(files, '2', notes)!
    assert.deepEqual([yanked.info.yanked, yanked.info.yanked_reason], [true, 'broken'])
  })
})

describe('pages as bytes', () => {
  const text = 'x'.repeat(5000)

  it('are made once, at the same moment too, and given without waiting afterwards', async () => {
    const pages = new PageCache()
    let made = 0
    const render = () => ((made += 1), text)
    const [first, second] = await Promise.all([pages.get('a', '1', render), pages.get('a', '1', render)])
    assert.equal(first, second)
    assert.equal(pages.get('a', '1', render), first)
    assert.equal(made, 1)
    assert.equal(gunzipSync(first!.gzip!.body).toString(), text)
    assert.notEqual(first!.etag, first!.gzip!.etag)
    assert.match(first!.etag, /^"[\w-]+"$/)
  })

  it('stay the same when something else has changed', async () => {
    const pages = new PageCache()
    const first = await pages.get('a', '1', () => text)
    assert.equal(await pages.get('a', '2', () => text), first)
    const changed = await pages.get('a', '3', () => `${text}!`)
    assert.notEqual(changed!.etag, first!.etag)
    assert.notEqual((await pages.get('b', '1', () => text))!.etag, first!.etag)
  })

  it('remember that there is none, within bounds, and try again after a failure', async () => {
    const pages = new PageCache(100_000)
    for (let i = 0; i < 10_000; i += 1) await pages.get(`junk-${i}`, '1', () => undefined)
    let made = 0
    const missing = () => ((made += 1), undefined)
    await pages.get('junk-9999', '1', missing)
    await pages.get('junk-0', '1', missing)
    assert.equal(made, 1)
    await assert.rejects(async () => pages.get('a', '1', () => Promise.reject(new Error('down'))))
    assert.ok(await pages.get('a', '1', () => text))
  })

  it('show what another server publishes at once', async () => {
    await using opened = await freshIndex()
    await using other = await openIndex(opened.directory)
    const pages = new IndexPages(opened)
    assert.equal(await pages.project('acme-core', 'text/html', place), undefined)
    assert.equal(pages.project('acme-core', 'text/html', place), undefined)
    const built = await buildWheel({name: 'acme-core', version: '1.0'})
    const {file: published} = await other.index.publish(await uploadOf(opened.directory, built), {
      overwrite: false,
    })
    const page = await pages.project('acme-core', 'text/html', place)
    assert.ok(page?.body.includes(built.filename))
    const json = parse(
      (await pages.project('acme-core', 'application/vnd.pypi.simple.v1+json', place))!.body.toString(),
    )
    assert.deepEqual(json['meta'], {'api-version': '1.4'})
    await other.index.remove(published)
    assert.equal(await pages.project('acme-core', 'text/html', place), undefined)
  })
})

it('sizes that pypicloud did not record are completed and kept', async () => {
  await using opened = await freshIndex()
  const {directory, cache, index} = opened
  const built = await buildWheel({name: 'acme-core', version: '1.0'})
  const {file: published} = await index.publish(await uploadOf(directory, built), {overwrite: false})
  const {hash_sha256 = ''} = published.data
  await cache.save([{...published, data: {hash_sha256}}]) // as pypicloud writes a row
  const pages = new IndexPages(opened)
  const ask = async () => {
    const page = (await pages.project('acme-core', 'application/vnd.pypi.simple.v1+json', place)) as Page
    return parse(page.body.toString()) as {meta: Record<string, string>; files: {size?: number}[]}
  }
  assert.equal((await ask()).meta['api-version'], '1.0')
  await pages.settled()
  const completed = await ask()
  assert.equal(completed.meta['api-version'], '1.4')
  assert.equal(completed.files[0]?.size, built.bytes.length)
  assert.equal((await index.findFile(built.filename))?.data.size, built.bytes.length)
})
