import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {gunzipSync} from 'node:zlib'
import {after, before, describe, it} from 'node:test'
import {waitFor} from '../support/wait.js'
import {buildWheel, type BuiltFile} from '../support/wheels.js'
import {basic, copyPypicloudState, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const ini = (more = '', sections = '') => `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = everyone
pypi.default_write = authenticated
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = sql
auth.db.url = sqlite:///%(here)s/access.db
auth.signing_key = key
${more}
${sections}`
const ada = basic('ada', 'Ada-pass-1')
const json = 'application/vnd.pypi.simple.v1+json'

const upload = (server: Installation, file: BuiltFile, name: string, version: string) => {
  const form = uploadForm(file, {name, version})
  return server.app.inject({
    method: 'POST',
    url: '/simple/',
    payload: form.payload,
    headers: {authorization: ada, ...form.headers},
  })
}

describe('pages', () => {
  let server: Installation
  before(async () => {
    server = await install(ini(), copyPypicloudState)
    await waitFor(
      'the metadata of what pypicloud stored is offered, and pages stay as they are',
      async () => {
        const {files} = (await get('/simple/open-lib/', {accept: json})).json<{
          files: Record<string, unknown>[]
        }>()
        return files.every(file => !String(file['filename']).endsWith('.whl') || 'core-metadata' in file)
      },
    )
  })
  after(() => server[Symbol.asyncDispose]())
  const get = (url: string, headers: Record<string, string> = {}) => server.app.inject({url, headers})

  it('come as JSON to those who ask for it, in one of two ways', async () => {
    const byHeader = await get('/simple/Open.LIB/', {accept: json})
    assert.equal(byHeader.headers['content-type'], json)
    const page = byHeader.json<{
      meta: {'api-version': string}
      name: string
      versions: string[]
      files: Record<string, unknown>[]
    }>()
    assert.equal(page.name, 'open-lib')
    assert.deepEqual(page.versions, ['0.9', '1.9', '1.10', '1.10.post1', '2.0rc1'])
    const file = page.files.find(({filename}) => filename === 'open_lib-1.10-py3-none-any.whl')
    assert.equal(file?.['requires-python'], '>=3.6')
    assert.match(page.meta['api-version'], /^1\.\d+$/)
    const url = new URL(String(file['url']), 'http://here/simple/Open.LIB/')
    assert.equal((await get(url.pathname)).statusCode, 200)
    const byQuery = await get(`/simple/open-lib/?format=${encodeURIComponent(json)}`, {accept: 'text/html'})
    assert.deepEqual(byQuery.json(), page)
    assert.deepEqual((await get('/simple/', {accept: json})).json<{projects: unknown}>().projects, [
      {name: 'adminonly'},
      {name: 'eggy'},
      {name: 'open-lib'},
    ])
  })
  it('say what they depend on and are not fetched twice', async () => {
    for (const url of ['/simple/', '/simple/open-lib/', '/pypi/open-lib/', '/open-lib/']) {
      for (const accept of ['text/html', json]) {
        for (const encoding of ['identity', 'gzip']) {
          const headers = {accept, 'accept-encoding': encoding}
          const first = await get(url, headers)
          assert.equal(first.statusCode, 200)
          assert.equal(first.headers.vary, 'Accept, Accept-Encoding, Authorization, Cookie')
          const etag = String(first.headers.etag)
          assert.match(etag, /^"[^"]+"$/)
          const second = await get(url, {...headers, 'if-none-match': etag})
          assert.equal(second.statusCode, 304)
          assert.equal(second.headers.etag, etag)
          assert.equal(second.payload, '')
          assert.equal((await get(url, {...headers, 'if-none-match': '"other"'})).statusCode, 200)
        }
      }
    }
  })
  it('are compressed for those who take it, under an ETag of their own', async () => {
    for (let i = 0; i < 10; i++)
      await upload(server, await buildWheel({name: 'many', version: `1.${i}`}), 'many', `1.${i}`)
    const plain = await get('/simple/many/')
    const packed = await get('/simple/many/', {'accept-encoding': 'gzip, deflate'})
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.equal(gunzipSync(packed.rawPayload).toString(), plain.payload)
    assert.notEqual(packed.headers.etag, plain.headers.etag)
  })
  it('are private to readers who are logged in', async () => {
    const answer = await get('/simple/open-lib/', {authorization: ada})
    assert.match(String(answer.headers['cache-control']), /private/)
  })
  it('show a new file at once, and no more a deleted one', async () => {
    const before = await get('/simple/fresh/')
    assert.equal(before.statusCode, 404)
    const file = await buildWheel({name: 'fresh', version: '1.0'})
    assert.equal((await upload(server, file, 'fresh', '1.0')).statusCode, 200)
    assert.match((await get('/simple/fresh/')).payload, /fresh-1\.0-py3-none-any\.whl/)
    const url = `/api/package/fresh/${file.filename}`
    assert.equal(
      (await server.app.inject({method: 'DELETE', url, headers: {authorization: ada}})).statusCode,
      200,
    )
    assert.equal((await get('/simple/fresh/')).statusCode, 404)
  })
  it('lead an oddly written address to the proper one, where relative links work', async () => {
    const answer = await get('/simple//open-lib/', {host: 'here'})
    assert.equal(answer.statusCode, 302)
    assert.equal(answer.headers.location, 'http://here/simple/open-lib/')
  })
  it('hatch finds what is there', async () => {
    for (const [url, root] of [
      ['/%2Bsimple/open-lib/', '../../'],
      ['/simple/+simple/open-lib/', '../../../'],
      ['/legacy/%2Bsimple/open-lib/', '../../../'],
    ] as const) {
      const answer = await get(url)
      assert.equal(answer.statusCode, 200) // it follows no redirects
      assert.match(answer.payload, new RegExp(`href="${root}api/package/open-lib/`))
    }
  })
  it('no method is refused as such, only paths', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
      assert.equal((await server.app.inject({method, url: '/simple/open-lib/'})).statusCode, 404)
    }
  })
})

describe('downloads', () => {
  let server: Installation
  let file: BuiltFile
  let url: string
  before(async () => {
    server = await install(ini(), copyPypicloudState)
    file = await buildWheel({name: 'big', version: '1.0', files: {'big/data.bin': 200_000}})
    assert.equal((await upload(server, file, 'big', '1.0')).statusCode, 200)
    url = `/api/package/big/${file.filename}`
  })
  after(() => server[Symbol.asyncDispose]())
  const get = (headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    server.app.inject({method, url, headers})

  it('are complete, with what clients check', async () => {
    const answer = await get({'accept-encoding': 'gzip'})
    assert.deepEqual(answer.rawPayload, file.bytes)
    assert.equal(answer.headers['content-length'], String(file.bytes.length))
    assert.equal(answer.headers['content-encoding'], undefined)
    assert.equal(answer.headers['accept-ranges'], 'bytes')
    assert.equal(answer.headers.etag, `"${createHash('sha256').update(file.bytes).digest('hex')}"`)
    assert.equal(answer.headers['content-type'], 'application/octet-stream')
    assert.match(String(answer.headers['cache-control']), /^private, max-age=\d+$/)
    const head = await get({}, 'HEAD')
    assert.equal(head.headers['content-length'], String(file.bytes.length))
    assert.equal(head.rawPayload.length, 0)
  })
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-', 100, undefined],
    ['bytes=-100', -100, undefined],
    ['bytes=1000-1999', 1000, 2000],
  ] as const) {
    it(`${range} is answered with that part`, async () => {
      const answer = await get({range})
      assert.equal(answer.statusCode, 206)
      const part = file.bytes.subarray(start, end)
      assert.deepEqual(answer.rawPayload, part)
      assert.equal(answer.headers['content-length'], String(part.length))
      const from = start < 0 ? file.bytes.length + start : start
      assert.equal(
        answer.headers['content-range'],
        `bytes ${from}-${from + part.length - 1}/${file.bytes.length}`,
      )
    })
  }
  it('a part that is not there is 416 with the size', async () => {
    const answer = await get({range: `bytes=${file.bytes.length}-`})
    assert.equal(answer.statusCode, 416)
    assert.equal(answer.headers['content-range'], `bytes */${file.bytes.length}`)
  })
  it('a part of another state of the file is the whole file', async () => {
    assert.equal((await get({range: 'bytes=0-9', 'if-range': '"old"'})).statusCode, 200)
    const {etag} = (await get()).headers
    assert.equal((await get({range: 'bytes=0-9', 'if-range': String(etag)})).statusCode, 206)
  })
  it('what the client has is not sent again', async () => {
    const {etag, 'last-modified': modified} = (await get()).headers
    for (const headers of [{'if-none-match': String(etag)}, {'if-modified-since': String(modified)}]) {
      const answer = await get(headers)
      assert.equal(answer.statusCode, 304)
      assert.equal(answer.headers.etag, etag)
      assert.equal(answer.rawPayload.length, 0)
    }
    // the ETag decides where both are sent
    const both = {'if-none-match': '"other"', 'if-modified-since': String(modified)}
    assert.equal((await get(both)).statusCode, 200)
  })
  it('a file that is gone from the storage is 404, and no more listed', async () => {
    const lost = await buildWheel({name: 'lost', version: '1.0'})
    await upload(server, lost, 'lost', '1.0')
    await rm(join(server.directory, 'packages/lost'), {recursive: true})
    const answer = await server.app.inject({url: `/api/package/lost/${lost.filename}`})
    assert.equal(answer.statusCode, 404)
    assert.equal((await server.app.inject({url: '/simple/lost/'})).statusCode, 404)
  })
  for (const [settings, expected] of [
    ['', 'private, max-age=600'],
    ['pypi.package_max_age = 77', 'private, max-age=77'],
    ['pypi.allow_overwrite_groups = ops', 'private, no-cache'],
    ['pypi.allow_delete_groups =', 'private, max-age=31536000, immutable'],
  ] as const) {
    it(`with ${settings || 'nothing set'} may be kept as ${expected}`, async () => {
      await using other = await install(ini(settings), copyPypicloudState)
      const answer = await other.app.inject({url: '/api/package/open-lib/open-lib-0.9.tar.gz'})
      assert.equal(answer.headers['cache-control'], expected)
    })
  }
})

describe('behind a proxy', () => {
  const filter = '[filter:proxy-prefix]\nuse = egg:PasteDeploy#prefix\nprefix = /py'
  let server: Installation
  before(async () => (server = await install(ini('filter-with = proxy-prefix', filter), copyPypicloudState)))
  after(() => server[Symbol.asyncDispose]())
  const headers = {
    host: 'inner:1',
    'x-forwarded-host': 'pypi.example.com, other',
    'x-forwarded-proto': 'https',
    'x-forwarded-for': '9.9.9.9',
  }
  it('addresses are those that the proxy tells of, with the prefix', async () => {
    const answer = await server.app.inject({url: '/py/simple', headers})
    assert.equal(answer.headers.location, 'https://pypi.example.com/py/simple/')
    const list = await server.app.inject({url: '/py/api/package/open-lib/', headers})
    const [file] = list.json<{packages: {url: string}[]}>().packages
    assert.ok(file?.url.startsWith('https://pypi.example.com/py/api/package/open-lib/'))
  })
  it('a prefix that the proxy has taken away is not missed', async () => {
    assert.equal((await server.app.inject({url: '/simple/open-lib/', headers})).statusCode, 200)
  })
  it('strangers can not pretend to be the proxy', async () => {
    const answer = await server.app.inject({url: '/py/simple', headers, remoteAddress: '8.8.8.8'})
    assert.equal(answer.headers.location, 'http://inner:1/py/simple/')
  })
})

describe('the first administrator', () => {
  it('is one, however many ask at the same moment', async () => {
    await using server = await install(ini())
    const register = (name: string) =>
      server.app.inject({
        method: 'PUT',
        url: `/api/user/${name}`,
        payload: JSON.stringify({password: `${name}-pw`}),
        headers: {'content-type': 'application/json'},
      })
    const answers = await Promise.all(Array.from({length: 6}, (_, i) => register(`u${i}`)))
    assert.deepEqual(answers.map(({statusCode}) => statusCode).sort(), [200, 403, 403, 403, 403, 403])
    assert.equal((await server.backends.access.listUsers()).filter(({admin}) => admin).length, 1)
    const winner = answers.findIndex(({statusCode}) => statusCode === 200)
    const answer = await server.app.inject({
      url: '/admin/user',
      headers: {authorization: basic(`u${winner}`, `u${winner}-pw`)},
    })
    assert.equal(answer.statusCode, 200)
  })
  it('can not be made anew by a stranger once there was one', async () => {
    await using server = await install(ini(), copyPypicloudState)
    await server.backends.access.writer!.deleteUser('ada')
    const answer = await server.app.inject({
      method: 'PUT',
      url: '/acct/login',
      payload: JSON.stringify({username: 'stranger', password: 'x'}),
      headers: {'content-type': 'application/json'},
    })
    assert.equal(answer.statusCode, 200) // registration is on: waits for approval
    const account = await server.backends.access.findAccount('stranger')
    assert.equal(account?.admin, false)
    assert.equal(account.pending, true)
  })
})
