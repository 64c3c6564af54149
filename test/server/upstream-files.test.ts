import assert from 'node:assert/strict'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {createToken} from '../../src/lib/tasks/api-tokens.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {fakeUpstream, redirectsTo, sends, sendsHalf, sha256Of} from '../support/upstream.js'
import {buildWheel} from '../support/wheels.js'
import {authorization, serverBefore} from './upstream-support.js'

const cache = {'pypi.fallback': 'cache'}
const wheel = 'up_only-1.0-py3-none-any.whl'
const address = `/api/package/up-only/${wheel}`

/** Everything below the packages directory but what the server keeps for itself. */
const stored = async (directory: string): Promise<string[]> =>
  (await readdir(join(directory, 'packages'), {recursive: true})).filter(name => /\.whl/.test(name)).sort()

describe('a file of the upstream', () => {
  it('is fetched once, stored as a copy, and not asked for again', async () => {
    await using upstream = await fakeUpstream()
    const files = await upstream.addProject('up-only', ['1.0', '1.1'])
    await using server = await serverBefore(upstream, cache)
    const page = await server.get('/simple/up-only/', 'reader', {
      accept: 'application/vnd.pypi.simple.v1+json',
    })
    const {files: listed} = page.json<{files: Record<string, unknown>[]}>()
    assert.deepEqual(
      listed.map(file => [file['filename'], file['url'], file['size'], file['upload-time']]),
      [...files].map(([name, bytes]) => [
        name,
        `../../api/package/up-only/${name}`,
        bytes.length,
        '2020-01-02T03:04:05.678901Z',
      ]),
    )
    assert.deepEqual(listed[0]?.['hashes'], {sha256: sha256Of(files.get(wheel)!)})

    const answer = await server.get(address)
    assert.equal(answer.statusCode, 200, answer.payload)
    assert.deepEqual(answer.rawPayload, files.get(wheel))
    const again = await server.get(address, 'stranger')
    assert.deepEqual(again.rawPayload, files.get(wheel))
    assert.equal(upstream.requests.filter(path => path.endsWith('.whl')).length, 1)
    const meta = JSON.parse(
      await readFile(join(server.directory, 'packages/up-only/1.0', `${wheel}.meta`), 'utf8'),
    ) as Record<string, string>
    assert.equal(meta['origin'], 'upstream')
    assert.equal(meta['upload_time'], '2020-01-02T03:04:05.678901Z')
    assert.equal(meta['requires_python'], '>=3.6')
    assert.equal(meta['uploader'], undefined)
    assert.equal((await server.get('/api/package/up-only/up_only-1.1-py3-none-any.whl')).statusCode, 200)
  })

  it('is still a copy after a rebuild, and deleting it seals nothing', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, cache)
    await server.get(address)
    const {storage, cache: rows} = server.backends
    const before = await rows.findFile(wheel)
    await rows.remove([before!])
    await rebuildCache({storage: new PackageStorage(storage), cache: rows}, {owner: 'test'})
    const after = await rows.findFile(wheel)
    assert.deepEqual(after, before)
    assert.equal(after?.data['origin'], 'upstream')
    const deleted = await server.app.inject({method: 'DELETE', url: address, headers: authorization('admin')})
    assert.equal(deleted.statusCode, 200)
    assert.match((await server.get('/simple/up-only/')).payload, /up_only-1\.0/)
    assert.equal((await server.get(address)).statusCode, 200)
  })

  it('is fetched by one request for a hundred clients of two servers', async () => {
    await using upstream = await fakeUpstream()
    const files = await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, cache)
    const other = server.another()
    try {
      const headers = authorization('reader')
      const answers = await Promise.all(
        Array.from({length: 100}, (_, i) =>
          (i % 2 ? server.app : other).inject({method: 'GET', url: address, headers}),
        ),
      )
      for (const answer of answers) assert.deepEqual(answer.rawPayload, files.get(wheel))
      assert.equal(upstream.requests.filter(path => path.endsWith('.whl')).length, 1)
    } finally {
      await other.close()
    }
  })

  it('that is not what its page says is neither stored nor served', async () => {
    await using upstream = await fakeUpstream()
    const files = await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, {...cache, 'pypi.max_upload_size': '5000'})
    const bytes = files.get(wheel)!
    const flipped = Buffer.from(bytes)
    flipped[100]! ^= 1
    const faults = {
      'one bit flipped': [502, sends(flipped)],
      'cut off': [503, sendsHalf(bytes)],
      'without an end, but shorter': [502, sends(bytes.subarray(0, 100))],
      'an error page': [
        503,
        (_: unknown, answer: {writeHead(status: number): {end(): void}}) => answer.writeHead(500).end(),
      ],
      'not there': [
        404,
        (_: unknown, answer: {writeHead(status: number): {end(): void}}) => answer.writeHead(404).end(),
      ],
      'a redirect into the cloud': [502, redirectsTo('http://169.254.169.254/latest/meta-data/iam/')],
      'a redirect to a file': [502, redirectsTo('file:///etc/passwd')],
      'far too large': [502, sends(Buffer.alloc(10_000))],
    } as const
    for (const [fault, [status, handler]] of Object.entries(faults)) {
      upstream.answers.set(`/files/${wheel}`, handler)
      const answer = await server.get(address)
      assert.equal(answer.statusCode, status, `${fault}: ${answer.payload}`)
      assert.deepEqual(await stored(server.directory), [], fault)
      assert.equal(await server.backends.cache.findFile(wheel), undefined)
    }
    assert.match(server.log(), /the bytes that came have sha256|bytes came, the upstream's page says/)
    upstream.answers.set(`/files/${wheel}`, sends(bytes))
    assert.deepEqual((await server.get(address)).rawPayload, bytes)
  })

  it('of which no digest is told is stored, and the log says so', async () => {
    await using upstream = await fakeUpstream()
    const files = await upstream.addProject('up-only', ['1.0'], {hashes: {}})
    await using server = await serverBefore(upstream, cache)
    assert.deepEqual((await server.get(address)).rawPayload, files.get(wheel))
    assert.match(server.log(), /tells no digest of it/)
  })

  it('of a name that became private on the way is not kept', async () => {
    await using upstream = await fakeUpstream()
    const files = await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, cache)
    const {storage} = server.backends
    upstream.answers.set(`/files/${wheel}`, (_request, answer) => {
      const text = JSON.stringify({version: 1, seals: {'up-only': {since: '2026-01-01T00:00:00.000Z'}}})
      void storage.notes
        ?.write(text, undefined)
        .then(() => setTimeout(() => answer.end(files.get(wheel)), 1100))
    })
    assert.equal((await server.get(address)).statusCode, 404)
    assert.deepEqual(await stored(server.directory), [])
  })

  it('that is here leaves no room for an upload of the same name, unless it is the same file', async () => {
    await using upstream = await fakeUpstream()
    const files = await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, {...cache, 'pypi.default_write': 'authenticated'})
    await server.get(address)
    const upload = (bytes: Buffer) =>
      server.upload({filename: wheel, bytes}, {name: 'up-only', version: '1.0'})
    const own = await buildWheel({name: 'up-only', version: '1.0', summary: 'our own'})
    assert.equal((await upload(own.bytes)).statusCode, 409)
    assert.equal((await upload(files.get(wheel)!)).statusCode, 200)
    assert.equal((await server.backends.cache.findFile(wheel))?.data['origin'], 'upstream')
  })

  it('is not fetched for API tokens that do not read there', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0'])
    const settings: Record<string, string> = {...cache, 'pypi.default_read': 'everyone'}
    const make = async (projects: string[], ...scopes: string[]) => {
      await using issuing = await serverBefore(upstream)
      const made = await createToken(issuing.backends.access, {owner: 'reader', projects, scopes})
      const [key = '', value = ''] = made.configLine?.split(/ = (.*)/s) ?? []
      settings[key] = value
      return {authorization: `Bearer ${made.text}`}
    }
    const weak = [await make([], 'delete'), await make(['acme-*'], 'read', 'upload')]
    const strong = await make([], 'read')
    await using server = await serverBefore(upstream, settings)
    for (const headers of weak) {
      for (const url of ['/simple/up-only/', address, `${address}.metadata`]) {
        const {statusCode} = await server.app.inject({url, headers})
        assert.ok([403, 404].includes(statusCode), `${url} ${statusCode}`)
      }
      const fetched = await server.app.inject({
        ...{method: 'POST', url: '/api/fetch', headers},
        payload: {requirements: 'up-only'},
      })
      assert.deepEqual(fetched.json<{pkgs: unknown[]}>().pkgs, [])
    }
    assert.deepEqual([await stored(server.directory), upstream.requests], [[], []])
    for (const headers of [strong, ...weak])
      assert.equal((await server.app.inject({url: address, headers})).statusCode, 200)
  })

  it('is shown and fetched only when it is as old as pypi.upstream_age wants it', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('young', ['1.0'], {'upload-time': new Date().toISOString()})
    await upstream.addProject('ageless', ['1.0'], {'upload-time': undefined})
    await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, {...cache, 'pypi.upstream_age': '7'})
    for (const name of ['young', 'ageless']) {
      for (const url of [
        `/simple/${name}/`,
        `/pypi/${name}/json`,
        `/api/package/${name}/${name}-1.0-py3-none-any.whl`,
      ])
        assert.equal((await server.get(url)).statusCode, 404, url)
    }
    assert.equal((await server.get('/simple/up-only/')).statusCode, 200)
    assert.equal((await server.get(address)).statusCode, 200)
  })
})

describe('a page with files of the upstream', () => {
  it('is shown with its age while the upstream is down, and others are answered 503', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, cache)
    const before = await server.get('/simple/up-only/')
    await upstream.stop()
    const after = await server.get('/simple/up-only/')
    assert.equal(after.payload, before.payload)
    assert.match(String(after.headers['age']), /^\d+$/)
    assert.match(String(after.headers['warning']), /^110/)
    const unknown = await server.get('/simple/never-seen/')
    assert.equal(unknown.statusCode, 503)
    assert.ok(unknown.headers['retry-after'])
    assert.equal((await server.get(address)).statusCode, 503)
  })

  it('shows what is here when the upstream fails, and of two files of one name the one that is here', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('corp-lib', ['1.0', '2.0'])
    await using server = await serverBefore(upstream, {...cache, 'pypi.always_show_upstream': 'true'})
    const own = await buildWheel({name: 'corp-lib', version: '1.0', summary: 'ours'})
    const sent = await server.upload(own, {name: 'corp-lib', version: '1.0'})
    assert.equal(sent.statusCode, 200, sent.payload)
    const names = (html: string) => [...html.matchAll(/>([^<]+\.whl)</g)].map(match => match[1])
    const mixed = (await server.get('/simple/corp-lib/')).payload
    assert.deepEqual(names(mixed), ['corp_lib-1.0-py3-none-any.whl', 'corp_lib-2.0-py3-none-any.whl'])
    assert.ok(mixed.includes(sha256Of(own.bytes)))
    assert.deepEqual((await server.get(`/api/package/corp-lib/${own.filename}`)).rawPayload, own.bytes)
    upstream.answers.set('/simple/corp-lib/', (_request, answer) => answer.writeHead(500).end())
    const stale = await server.get('/simple/corp-lib/')
    assert.deepEqual(names(stale.payload), names(mixed), 'the upstream said so a moment ago')
    const other = server.another()
    try {
      const alone = await other.inject({url: '/simple/corp-lib/', headers: authorization('reader')})
      assert.deepEqual(names(alone.payload), [own.filename])
    } finally {
      await other.close()
    }
    assert.match(server.log(), /the upstream fails/)
  })

  it('carries the yanks of the upstream, also of files that are copied here', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0'], {yanked: 'broken on <b>'})
    await using server = await serverBefore(upstream, {...cache, 'pypi.always_show_upstream': 'true'})
    const yanked = /data-yanked="broken on &lt;b&gt;"/
    assert.match((await server.get('/simple/up-only/')).payload, yanked)
    await server.get(address)
    assert.match((await server.get('/simple/up-only/')).payload, yanked)
    assert.match((await server.get('/pypi/up-only/json')).payload, /"yanked": true/)
  })

  it('is no secret, but the credentials that this server has at the upstream are', async () => {
    await using upstream = await fakeUpstream()
    await using server = await serverBefore(upstream, {
      'pypi.fallback': 'redirect',
      'pypi.always_show_upstream': 'true',
      'pypi.fallback_base_url': upstream.url.replace('://', '://me:geheim@'),
    })
    const moved = await server.get('/simple/up-only/')
    assert.equal(moved.headers['location'], `${upstream.url}/simple/up-only/`)
    assert.doesNotMatch(server.log() + JSON.stringify(moved.headers), /geheim/)
  })
})
