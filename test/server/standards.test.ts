import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {after, before, describe, it} from 'node:test'
import {attestationOf} from '../support/attestations.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {waitFor} from '../support/wait.js'
import {buildWheel, coreMetadata, type BuiltFile} from '../support/wheels.js'
import {basic, copyPypicloudState, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const ini = (more = '') => `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = everyone
pypi.default_write = authenticated
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = config
auth.admins = ada
user.ada = ${testPasswordHash}
user.bob = ${testPasswordHash}
${more}`
const ada = {authorization: basic('ada', testPassword)} // administrator
const bob = {authorization: basic('bob', testPassword)}
const json = 'application/vnd.pypi.simple.v1+json'

interface PageFile {
  readonly filename: string
  readonly url: string
  readonly yanked: string | boolean
  readonly 'core-metadata'?: {readonly sha256: string}
}

describe('what is said of files and projects', () => {
  let server: Installation
  before(async () => (server = await install(ini(), copyPypicloudState)))
  after(() => server[Symbol.asyncDispose]())

  const get = (url: string, headers: Record<string, string> = {}) => server.app.inject({url, headers})
  const upload = (file: BuiltFile, name: string, version: string, more: Record<string, string> = {}) => {
    const form = uploadForm(file, {name, version, ...more})
    return server.app.inject({
      method: 'POST',
      url: '/simple/',
      payload: form.payload,
      headers: {...bob, ...form.headers},
    })
  }
  const send = (method: 'PUT' | 'DELETE', url: string, headers: Record<string, string>, fields = '') =>
    server.app.inject({
      method,
      url,
      payload: fields,
      headers: {...headers, 'content-type': 'application/x-www-form-urlencoded'},
    })
  const filesOf = async (project: string) =>
    (await get(`/simple/${project}/`, {accept: json})).json<{files: PageFile[]}>().files

  it('metadata is offered beside a wheel with its digest, and is what the wheel holds', async () => {
    const release = {name: 'acme-meta', version: '1.0', requiresDist: ['acme-core>=1'], description: 'Äcme'}
    const wheel = await buildWheel(release)
    assert.equal((await upload(wheel, 'acme-meta', '1.0')).statusCode, 200)
    const [file] = await filesOf('acme-meta')
    const url = new URL(`${file!.url}.metadata`, 'http://here/simple/acme-meta/').pathname
    const metadata = await get(url)
    assert.equal(metadata.body, coreMetadata(release))
    assert.deepEqual(file?.['core-metadata'], {
      sha256: createHash('sha256').update(metadata.rawPayload).digest('hex'),
    })
    const html = (await get('/simple/acme-meta/', {accept: 'text/html'})).body
    const digest = file['core-metadata'].sha256
    assert.ok(
      html.includes(` data-core-metadata="sha256=${digest}" data-dist-info-metadata="sha256=${digest}"`),
    )
    const head = await server.app.inject({method: 'HEAD', url})
    assert.deepEqual([head.body, head.headers['content-length']], ['', String(metadata.rawPayload.length)])
    const again = await get(url, {'if-none-match': metadata.headers.etag!})
    assert.deepEqual([again.statusCode, again.headers.etag], [304, metadata.headers.etag])
    assert.equal((await get(`${url}.metadata`)).statusCode, 404)
    assert.equal((await get(url.replace('acme-meta/', 'open-lib/'))).statusCode, 404)
  })

  it('metadata of wheels that pypicloud stored is offered after the first request for their project', async () => {
    const wheel = 'open_lib-1.10-py3-none-any.whl'
    const {sha256} = await waitFor('it is offered', async () => {
      const found = (await filesOf('open-lib')).find(({filename}) => filename === wheel)
      return found?.['core-metadata']
    })
    const {rawPayload} = await get('/api/package/open-lib/open_lib-1.10-py3-none-any.whl.metadata')
    assert.equal(createHash('sha256').update(rawPayload).digest('hex'), sha256)
  })

  it('writers yank a release with a reason and take it back, others do not', async () => {
    const url = '/api/project/Open.Lib/yanked/1.10'
    assert.equal((await send('PUT', url, {})).statusCode, 401)
    const done = await send('PUT', url, ada, 'reason=broken')
    assert.deepEqual([done.statusCode, done.json<{name: string}>().name], [200, 'open-lib'])
    const yanked = async () => (await filesOf('open-lib')).filter(file => file.yanked !== false)
    assert.deepEqual(
      (await yanked()).map(({yanked: reason}) => reason),
      (await yanked()).map(() => 'broken'),
    )
    assert.equal(
      (await get('/api/project/open-lib/yanked')).json<{yanked: unknown[]}>().yanked.length > 0,
      true,
    )
    assert.match((await get('/simple/open-lib/', {accept: 'text/html'})).body, / data-yanked="broken"/)
    assert.equal((await send('PUT', '/api/project/open-lib/yanked/99', ada)).statusCode, 404)
    assert.equal((await send('DELETE', url, ada)).statusCode, 200)
    assert.deepEqual(await yanked(), [])
  })

  it('an archived project refuses uploads, a quarantined one downloads too, and only administrators release it', async () => {
    const wheel = await buildWheel({name: 'acme-state', version: '1.0'})
    await upload(wheel, 'acme-state', '1.0')
    const next = await buildWheel({name: 'acme-state', version: '2.0'})
    const url = '/api/project/acme-state/status'
    const file = `/api/package/acme-state/${wheel.filename}`
    assert.equal((await send('PUT', url, bob, 'status=archived&reason=old')).statusCode, 200)
    const refused = await upload(next, 'acme-state', '2.0')
    assert.equal(refused.statusCode, 403)
    assert.match(refused.body, /acme-state is archived and takes no files: old/)
    assert.equal((await get(file)).statusCode, 200)
    assert.equal((await send('PUT', url, bob, 'status=quarantined')).statusCode, 403)
    assert.equal((await send('PUT', url, ada, 'status=quarantined')).statusCode, 200)
    assert.deepEqual(await filesOf('acme-state'), [])
    assert.equal((await get(file)).statusCode, 403)
    assert.equal((await get(`${file}.metadata`)).statusCode, 403)
    assert.equal((await get('/packages/')).body.includes(wheel.filename), false)
    assert.equal((await send('PUT', url, bob, 'status=active')).statusCode, 403)
    assert.equal((await send('PUT', url, ada, 'status=nonsense')).statusCode, 400)
    assert.equal((await send('PUT', url, ada, 'status=active')).statusCode, 200)
    assert.equal((await upload(next, 'acme-state', '2.0')).statusCode, 200)
  })

  it('the older JSON describes the newest release, with what its wheel says', async () => {
    const release = {
      name: 'acme-old',
      version: '1.0',
      summary: 'one',
      requiresDist: ['x'],
      description: 'long',
    }
    await upload(await buildWheel(release), 'acme-old', '1.0')
    const {info} = (await get('/pypi/acme-old/json')).json<{info: Record<string, unknown>}>()
    assert.deepEqual(
      [info['version'], info['summary'], info['requires_dist'], info['description'], info['yanked']],
      ['1.0', 'one', ['x'], 'long', false],
    )
    await send('PUT', '/api/project/acme-old/yanked/1.0', ada, 'reason=bad')
    const yanked = (await get('/pypi/acme-old/1.0.0/json')).json<{info: Record<string, unknown>}>().info
    assert.deepEqual([yanked['yanked'], yanked['yanked_reason']], [true, 'bad'])
  })

  it('attestations of exactly this file are kept and served beside it', async () => {
    const wheel = await buildWheel({name: 'acme-signed', version: '1.0'})
    const sha256 = createHash('sha256').update(wheel.bytes).digest('hex')
    const send = (attestations: unknown) =>
      upload(wheel, 'acme-signed', '1.0', {
        attestations: typeof attestations === 'string' ? attestations : JSON.stringify(attestations),
      })
    const other = attestationOf(wheel.filename, 'f'.repeat(64))
    for (const [bad, reason] of [
      ['{', /no JSON/],
      [[], /no JSON array with one object/],
      [[{...other, version: 2}], /no object of version 1/],
      [[other], /about other bytes/],
      [[attestationOf('acme_signed-1.1-py3-none-any.whl', sha256)], /is about "acme_signed-1\.1/],
      [[attestationOf('acme_signed-1.0-py2-none-any.whl', sha256)], /is about "acme_signed-1\.0-py2/],
    ] as const) {
      const refused = await send(bad)
      assert.deepEqual([refused.statusCode, reason.test(refused.body)], [400, true], refused.body)
    }
    const good = [
      attestationOf(wheel.filename, sha256),
      attestationOf('Acme.Signed-1.0.0-py3-none-any.whl', sha256),
    ]
    assert.equal((await send(good)).statusCode, 200)
    const page = (await get('/simple/acme-signed/', {accept: json})).json<{
      files: {provenance: string | null}[]
    }>()
    const address = '/api/package/acme-signed/acme_signed-1.0-py3-none-any.whl.provenance'
    assert.equal(page.files[0]?.provenance, `http://localhost:80${address}`)
    const served = await get(address)
    assert.equal(served.headers['content-type'], 'application/vnd.pypi.integrity.v1+json')
    const provenance = served.json<{version: number; attestation_bundles: {attestations: unknown[]}[]}>()
    assert.equal(provenance.version, 1)
    assert.deepEqual(provenance.attestation_bundles[0]?.attestations, good)
    for (const host of ['pypi.example.com', 'other.example.com:8080', 'pypi.example.com']) {
      const {body} = await get('/simple/acme-signed/', {accept: 'text/html', host})
      assert.equal(/ data-provenance="([^"]*)"/.exec(body)?.[1], `http://${host}${address}`)
    }
    assert.equal(
      (await get('/api/package/open-lib/open_lib-1.10-py3-none-any.whl.provenance')).statusCode,
      404,
    )
  })
})
