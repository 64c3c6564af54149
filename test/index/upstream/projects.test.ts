import assert from 'node:assert/strict'
import type {lookup, LookupAddress} from 'node:dns'
import {gzipSync} from 'node:zlib'
import {describe, it} from 'node:test'
import {UpstreamConnection, type ConnectionOptions} from '../../../src/lib/index/upstream/connection.js'
import {UpstreamProjects} from '../../../src/lib/index/upstream/projects.js'
import {startForwardProxy} from '../../services/forward-proxy.js'
import {fakeUpstream, redirectsTo, sendsHtml, sendsPage, type FakeUpstream} from '../../support/upstream.js'

function open(upstream: FakeUpstream, options: Partial<ConnectionOptions> & {json?: boolean} = {}) {
  const {json = false, ...rest} = options
  const connection = new UpstreamConnection({
    own: new URL(upstream.url),
    allowed: [],
    timeoutSeconds: 5,
    ...rest,
  })
  const stale: string[] = []
  const projects = new UpstreamProjects({
    connection,
    simpleUrl: `${upstream.url}/simple`,
    legacyUrl: json ? `${upstream.url}/pypi` : undefined,
    onStale: name => stale.push(name),
  })
  return {projects, stale, [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose]()}
}

const digest = 'a'.repeat(64)

describe('a project of the upstream', () => {
  it('is read from a JSON page with all that it says of a file', async () => {
    await using upstream = await fakeUpstream()
    upstream.answers.set(
      '/simple/foo-bar/',
      sendsPage('foo-bar', [
        {
          filename: 'foo_bar-1.0-py3-none-any.whl',
          url: '../../files/foo_bar-1.0-py3-none-any.whl#frag',
          hashes: {sha256: digest.toUpperCase(), md5: 'x'},
          'requires-python': '>=3.8',
          size: 17,
          'upload-time': '2024-01-02T03:04:05.6Z',
          yanked: 'broken',
          'core-metadata': {sha256: digest},
        },
        {
          filename: 'foo-bar-0.9.tar.gz',
          url: 'https://files.example/foo-bar-0.9.tar.gz',
          hashes: {},
          yanked: false,
        },
        {filename: 'other-1.0.tar.gz', url: 'x'},
        {filename: '../../evil-1.0.tar.gz', url: 'x'},
        {filename: 'foo-bar-1.1.tar.gz', url: 'file:///etc/passwd'},
        {filename: 'foo-bar-1.0.txt', url: 'x'},
        'nonsense',
      ]),
    )
    await using opened = open(upstream)
    const {project, isStale} = await opened.projects.find('foo-bar')
    assert.equal(isStale, false)
    assert.deepEqual(JSON.parse(JSON.stringify(project?.files)), [
      {
        filename: 'foo_bar-1.0-py3-none-any.whl',
        hashes: {sha256: digest},
        requiresPython: '>=3.8',
        size: 17,
        uploadTime: '2024-01-02T03:04:05.600000Z',
        yanked: 'broken',
        coreMetadata: {sha256: digest},
        url: `${upstream.url}/files/foo_bar-1.0-py3-none-any.whl`,
        version: '1.0',
      },
      {
        filename: 'foo-bar-0.9.tar.gz',
        hashes: {},
        url: 'https://files.example/foo-bar-0.9.tar.gz',
        version: '0.9',
      },
    ])
    assert.match(String(upstream.headers[0]?.accept), /^application\/vnd\.pypi\.simple\.v1\+json/)
  })

  it('is read from an HTML page where there is no JSON', async () => {
    await using upstream = await fakeUpstream()
    upstream.answers.set(
      '/simple/foo/',
      sendsHtml(
        `<base href="/elsewhere/"><a href="foo-1.0.tar.gz#sha256=${digest}" data-requires-python="&gt;=3.8" data-yanked="">foo-1.0.tar.gz</a>` +
          `<a href="foo-2%2B1-py3-none-any.whl" data-core-metadata="sha256=${digest}"> foo-2+1-py3-none-any.whl </a><A HREF=foo-3.zip>download</A>`,
      ),
    )
    await using opened = open(upstream)
    const {project} = await opened.projects.find('foo')
    assert.deepEqual(
      project?.files.map(({filename, url, yanked, requiresPython, coreMetadata, hashes}) => [
        filename,
        url.slice(upstream.url.length),
        hashes['sha256']?.length,
        requiresPython,
        yanked,
        coreMetadata?.sha256?.length,
      ]),
      [
        ['foo-1.0.tar.gz', '/elsewhere/foo-1.0.tar.gz', 64, '>=3.8', '', undefined],
        [
          'foo-2+1-py3-none-any.whl',
          '/elsewhere/foo-2%2B1-py3-none-any.whl',
          undefined,
          undefined,
          undefined,
          64,
        ],
        ['foo-3.zip', '/elsewhere/foo-3.zip', undefined, undefined, undefined, undefined],
      ],
    )
  })

  it('is read from the JSON API where that is on and the simple page is HTML', async () => {
    await using upstream = await fakeUpstream()
    const legacy = {
      info: {name: 'foo', summary: 'a foo'},
      releases: {
        '1.0': [
          {
            filename: 'foo-1.0.tar.gz',
            url: '/f/foo-1.0.tar.gz',
            digests: {sha256: digest},
            yanked: true,
            yanked_reason: 'why',
            upload_time_iso_8601: '2024-01-02T03:04:05.678901Z',
          },
        ],
      },
    }
    upstream.answers.set('/simple/foo/', sendsHtml('<a href="foo-9.tar.gz">foo-9.tar.gz</a>'))
    upstream.answers.set('/pypi/foo/json', (_request, answer) =>
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(legacy)),
    )
    await using opened = open(upstream, {json: true})
    const {project} = await opened.projects.find('foo')
    assert.equal(project?.summary, 'a foo')
    assert.deepEqual(
      project.files.map(({filename, yanked, uploadTime}) => [filename, yanked, uploadTime]),
      [['foo-1.0.tar.gz', 'why', '2024-01-02T03:04:05.678901Z']],
    )
    await using plain = open(upstream)
    assert.equal((await plain.projects.find('foo')).project?.files[0]?.filename, 'foo-9.tar.gz')
  })

  it('in quarantine has no files', async () => {
    await using upstream = await fakeUpstream()
    upstream.answers.set('/simple/foo/', (_request, answer) =>
      answer.setHeader('content-type', 'application/vnd.pypi.simple.v1+json').end(
        JSON.stringify({
          meta: {'api-version': '1.4'},
          'project-status': {status: 'quarantined'},
          files: [{filename: 'foo-1.0.tar.gz', url: 'foo-1.0.tar.gz'}],
        }),
      ),
    )
    await using opened = open(upstream)
    assert.deepEqual((await opened.projects.find('foo')).project?.files, [])
  })

  it('is asked about again only on condition that it has changed', async () => {
    await using upstream = await fakeUpstream()
    const page = sendsPage('foo', [{filename: 'foo-1.0.tar.gz', url: 'foo-1.0.tar.gz'}], {etag: '"one"'})
    let unchanged = 0
    upstream.answers.set('/simple/foo/', (request, answer) => {
      if (request.headers['if-none-match'] !== '"one"') page(request, answer)
      else answer.writeHead(304, {'cache-control': 'max-age=600'}).end(void (unchanged += 1))
    })
    await using opened = open(upstream)
    const first = await opened.projects.find('foo')
    const second = await opened.projects.find('foo')
    assert.equal(unchanged, 1)
    assert.equal(second.project, first.project)
    await opened.projects.find('foo')
    assert.equal(upstream.requests.length, 2, 'the 304 said that it stays fresh')
  })

  it('is asked about again when the upstream has closed the connection that was kept open', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('foo', ['1.0'])
    const page = upstream.answers.get('/simple/foo/')
    const used = new WeakSet<object>()
    upstream.answers.set('/simple/foo/', (request, answer) => {
      if (used.has(request.socket)) request.socket.destroy()
      else page?.(request, answer)
      used.add(request.socket)
    })
    await using opened = open(upstream)
    for (let time = 0; time < 3; time += 1) {
      const {project, isStale} = await opened.projects.find('foo')
      assert.deepEqual([project?.files.length, isStale], [1, false])
    }
    assert.ok(upstream.requests.length > 3)
  })

  it('is asked about once, however many want to know', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('foo', ['1.0'])
    await using opened = open(upstream)
    await Promise.all(Array.from({length: 50}, () => opened.projects.find('foo')))
    assert.deepEqual(upstream.requests, ['/simple/foo/'])
  })

  it('that is not there is not asked about again at once', async () => {
    await using upstream = await fakeUpstream()
    await using opened = open(upstream)
    assert.equal((await opened.projects.find('foo')).project, undefined)
    assert.equal((await opened.projects.find('foo')).project, undefined)
    assert.deepEqual(upstream.requests, ['/simple/foo/'])
  })

  it('is shown as it was while the upstream fails, and the failure is not repeated at once', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('foo', ['1.0'])
    await using opened = open(upstream)
    const before = await opened.projects.find('foo')
    upstream.answers.set('/simple/foo/', (_request, answer) => answer.writeHead(500).end())
    const {project, isStale, ageSeconds} = await opened.projects.find('foo')
    assert.equal(project, before.project)
    assert.ok(isStale && ageSeconds >= 0)
    await opened.projects.find('foo')
    assert.equal(upstream.requests.length, 2)
    assert.deepEqual(opened.stale, ['foo', 'foo'])
  })

  it('that was never seen can not be told of while nobody answers, and others are not waited for', async () => {
    await using upstream = await fakeUpstream()
    await upstream.stop()
    await using opened = open(upstream)
    await assert.rejects(opened.projects.find('foo'), {
      code: 'PPC_UNAVAILABLE',
      message: /nobody listens there/,
    })
    await assert.rejects(opened.projects.find('bar'), {message: /simple\/foo\/: nobody listens there/})
  })

  it('is refused when its page is none, too large, damaged or of a future version', async () => {
    await using upstream = await fakeUpstream()
    const pages: Record<string, [head: Record<string, string>, body: Buffer | string]> = {
      none: [{'content-type': 'application/vnd.pypi.simple.v1+json'}, '{"files": 3}'],
      broken: [{'content-type': 'application/vnd.pypi.simple.v1+json'}, '{"files": ['],
      future: [
        {'content-type': 'application/vnd.pypi.simple.v1+json'},
        '{"meta": {"api-version": "2.0"}, "files": []}',
      ],
      picture: [{'content-type': 'image/png'}, 'x'],
      brotli: [{'content-type': 'text/html', 'content-encoding': 'br'}, 'x'],
      damaged: [{'content-type': 'text/html', 'content-encoding': 'gzip'}, 'x'],
      bomb: [{'content-type': 'text/html', 'content-encoding': 'gzip'}, gzipSync(Buffer.alloc(70_000_000))],
      html2: [{'content-type': 'text/html'}, '<meta name="pypi:repository-version" content="2.0">'],
    }
    for (const [name, [head, body]] of Object.entries(pages))
      upstream.answers.set(`/simple/${name}/`, (_request, answer) => answer.writeHead(200, head).end(body))
    await using opened = open(upstream)
    for (const name of Object.keys(pages))
      await assert.rejects(opened.projects.find(name), {code: 'PPC_UPSTREAM_REFUSED'}, name)
  })

  it('is followed through redirects, but not to another network, off TLS or for ever', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('foo', ['1.0'])
    upstream.answers.set('/simple/moved/', redirectsTo('/simple/foo/'))
    upstream.answers.set('/simple/loop/', redirectsTo('/simple/loop/'))
    upstream.answers.set('/simple/metadata/', redirectsTo('http://169.254.169.254/latest/meta-data/'))
    upstream.answers.set('/simple/file/', redirectsTo('file:///etc/passwd'))
    upstream.answers.set('/simple/local/', redirectsTo('http://localhost:1/'))
    await using opened = open(upstream)
    assert.equal((await opened.projects.find('moved')).project?.files.length, 0, 'its files are of foo')
    await assert.rejects(opened.projects.find('loop'), /redirects more than/)
    await assert.rejects(opened.projects.find('metadata'), /169\.254\.169\.254:80, whose address/)
    await assert.rejects(opened.projects.find('file'), /file: is no address/)
    await assert.rejects(opened.projects.find('local'), /localhost:1, whose address/)
  })

  it('gets the credentials of its own host, and no other host gets them', async () => {
    await using other = await fakeUpstream()
    await other.addProject('foo', ['1.0'])
    await using upstream = await fakeUpstream()
    upstream.answers.set('/simple/foo/', redirectsTo(`${other.url}/simple/foo/`))
    await using opened = open(upstream, {
      credentials: {username: 'me', password: 'p:ss'},
      allowed: ['127.0.0.1'],
    })
    await opened.projects.find('foo')
    assert.equal(upstream.headers[0]?.authorization, `Basic ${btoa('me:p:ss')}`)
    assert.equal(other.headers[0]?.authorization, undefined)
  })

  it('is asked for at the address that its name has at that moment, and at no private one', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('foo', ['1.0'])
    const {port} = new URL(upstream.url)
    const resolved: string[] = []
    const resolve = ((
      hostname: string,
      _options: unknown,
      done: (error: null, found: LookupAddress[]) => void,
    ) => {
      resolved.push(hostname)
      done(null, [{address: '127.0.0.1', family: 4}])
    }) as typeof lookup
    upstream.answers.set('/simple/bar/', redirectsTo(`http://files.example:${port}/simple/foo/`))
    await using opened = open(upstream, {resolve})
    await assert.rejects(
      opened.projects.find('bar'),
      /files\.example:\d+, whose address 127\.0\.0\.1 is not a public/,
    )
    assert.deepEqual(resolved, ['files.example'])
    await using trusting = open(upstream, {resolve, allowed: ['files.example']})
    assert.ok((await trusting.projects.find('bar')).project)
    assert.deepEqual(upstream.requests, ['/simple/bar/', '/simple/bar/', '/simple/foo/'])
  })

  it('is asked for through the proxy that the environment names', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('foo', ['1.0'])
    await using proxy = await startForwardProxy()
    const before = process.env['http_proxy']
    process.env['http_proxy'] = proxy.url
    try {
      await using opened = open(upstream)
      assert.ok((await opened.projects.find('foo')).project)
      assert.deepEqual(proxy.requests, [`GET ${upstream.url}/simple/foo/`])
    } finally {
      if (before === undefined) delete process.env['http_proxy']
      else process.env['http_proxy'] = before
    }
  })
})
