import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {bestFile, parseRequirement, requirementLines} from '../../src/lib/index/upstream/requirements.js'
import {fakeUpstream} from '../support/upstream.js'
import {authorization, serverBefore, type Reader} from './upstream-support.js'

describe('a requirement', () => {
  it('is a name with versions; options, addresses and paths are none', () => {
    assert.deepEqual(requirementLines('a==1 # why\n\n# no\r\n b>=2\n'), ['a==1', 'b>=2'])
    assert.deepEqual(parseRequirement('Foo.Bar[x,y] (>=1.0,<2); python_version > "3"'), {
      project: 'foo-bar',
      specifier: '>=1.0,<2',
    })
    assert.deepEqual(parseRequirement('foo ~=1.4'), {project: 'foo', specifier: '~=1.4'})
    assert.deepEqual(parseRequirement('foo'), {project: 'foo', specifier: ''})
    for (const line of [
      '-r x.txt',
      '--index-url http://x',
      './foo',
      'foo @ https://x/y.whl',
      'foo bar',
      'foo==',
      '',
    ]) {
      assert.equal(parseRequirement(line), undefined, line)
    }
  })

  it('is met by the highest version, yanked or not yet released only where nothing else will do', () => {
    const file = (filename: string, version: string, yanked?: string) => ({
      filename,
      version,
      yanked,
      url: 'http://x/',
      hashes: {},
    })
    const files = [
      file('a-1.0.tar.gz', '1.0'),
      file('a-1.0-py3-none-any.whl', '1.0'),
      file('a-1.0-cp312-cp312-linux_x86_64.whl', '1.0'),
      file('a-1.10.tar.gz', '1.10'),
      file('a-1.11.tar.gz', '1.11', 'bad'),
      file('a-2.0rc1.tar.gz', '2.0rc1'),
    ]
    const best = (specifier: string, wheel = true, prerelease = false) =>
      bestFile(files, {project: 'a', specifier}, {wheel, prerelease})?.filename
    assert.equal(best(''), 'a-1.10.tar.gz')
    assert.equal(best('==1.0'), 'a-1.0-py3-none-any.whl')
    assert.equal(best('==1.0', false), 'a-1.0.tar.gz')
    assert.equal(best('<1.10'), 'a-1.0-py3-none-any.whl')
    assert.equal(best('==1.11'), 'a-1.11.tar.gz')
    assert.equal(best('>1.10'), 'a-2.0rc1.tar.gz')
    assert.equal(best('', true, true), 'a-2.0rc1.tar.gz')
    assert.equal(best('>3'), undefined)
  })
})

describe('POST /api/fetch', () => {
  const fetch = (server: Awaited<ReturnType<typeof serverBefore>>, requirements: string, reader: Reader) =>
    server.app.inject({
      method: 'POST',
      url: '/api/fetch',
      headers: {...authorization(reader), 'content-type': 'application/json'},
      payload: JSON.stringify({requirements}),
    })

  it('brings the best file of each line here, and says of the others why not', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0', '1.1'])
    await using server = await serverBefore(upstream, {'pypi.fallback': 'cache', 'pypi.private': 'acme-*'})
    const answer = await fetch(server, 'up-only<1.1\nnowhere\nacme-x\n-r more.txt\n', 'reader')
    assert.equal(answer.statusCode, 200, answer.payload)
    const {pkgs, skipped} = answer.json<{pkgs: Record<string, unknown>[]; skipped: {requirement: string}[]}>()
    assert.deepEqual(
      pkgs.map(({name, version, filename}) => [name, version, filename]),
      [['up-only', '1.0', 'up_only-1.0-py3-none-any.whl']],
    )
    assert.deepEqual(
      skipped.map(({requirement}) => requirement),
      ['nowhere', 'acme-x', '-r more.txt'],
    )
    assert.deepEqual((await fetch(server, 'up-only<1.1', 'reader')).json<{pkgs: unknown[]}>().pkgs, [])
    assert.ok(!upstream.requests.some(path => path.includes('acme')))
    assert.equal((await server.get('/api/package/up-only/')).json<{packages: unknown[]}>().packages.length, 1)
  })

  it('is for those who may store upstream files, and only where they are stored', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0'])
    await using server = await serverBefore(upstream, {
      'pypi.fallback': 'cache',
      'pypi.cache_update': 'admin',
    })
    assert.equal((await fetch(server, 'up-only', 'anonymous')).statusCode, 401)
    assert.equal((await fetch(server, 'up-only', 'reader')).statusCode, 403)
    assert.equal((await fetch(server, 'up-only', 'admin')).statusCode, 200)
    await using redirecting = await serverBefore(upstream, {'pypi.fallback': 'redirect'})
    assert.equal((await fetch(redirecting, 'up-only', 'admin')).statusCode, 404)
    await using open = await serverBefore(upstream, {
      'pypi.fallback': 'cache',
      'pypi.cache_update': 'everyone',
    })
    assert.equal((await fetch(open, 'up-only', 'anonymous')).statusCode, 401)
    const missing = await open.app.inject({
      method: 'POST',
      url: '/api/fetch',
      headers: authorization('admin'),
    })
    assert.equal(missing.statusCode, 400)
    assert.match(missing.payload, /Missing argument 'requirements'/)
  })
})
