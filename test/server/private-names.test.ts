import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {fakeUpstream, type FakeUpstream} from '../support/upstream.js'
import {waitFor} from '../support/wait.js'
import {buildWheel} from '../support/wheels.js'
import {authorization, readers, serverBefore} from './upstream-support.js'

const states = ['exists', 'deleted', 'yanked', 'never'] as const
/** What a stranger has published under the name of somebody else's project. */
const hostile = '99.0'

/** An upstream that has 99.0 of every private name. */
async function hostileUpstream(names: readonly string[]): Promise<FakeUpstream & {marks: string[]}> {
  const upstream = await fakeUpstream()
  const marks: string[] = []
  for (const name of names) await upstream.addProject(name, [hostile])
  for (const path of upstream.answers.keys()) if (path.startsWith('/files/')) marks.push(path)
  return {...upstream, marks}
}

const requestsFor = (name: string) => {
  const wheel = `${name.replace('-', '_')}-${hostile}-py3-none-any.whl`
  const json = {accept: 'application/vnd.pypi.simple.v1+json'}
  return [
    {url: `/simple/${name}/`},
    {url: `/simple/${name}/`, headers: json},
    {url: `/simple/${name.toUpperCase().replace('-', '._')}/`},
    {url: `/pypi/${name}/`},
    {url: `/${name}/`},
    {url: `/pypi/${name}/json`},
    {url: `/pypi/${name}/99/json`},
    {url: `/simple/${name}/json`},
    {url: `/api/package/${name}/`},
    {url: `/api/package/${name}/${wheel}`},
    {url: `/api/package/${name}/${wheel}`, method: 'HEAD' as const},
    {url: `/api/package/${name}/${wheel}.metadata`},
    {
      url: '/api/fetch',
      method: 'POST' as const,
      payload: JSON.stringify({requirements: `${name}>=99\n${name}`}),
      headers: {'content-type': 'application/json'},
    },
  ]
}

const modes: Record<string, Record<string, string>> = {
  none: {'pypi.fallback': 'none'},
  'none and always': {'pypi.fallback': 'none', 'pypi.always_show_upstream': 'true'},
  redirect: {'pypi.fallback': 'redirect'},
  'redirect and always': {'pypi.fallback': 'redirect', 'pypi.always_show_upstream': 'true'},
  cache: {'pypi.fallback': 'cache', 'pypi.cache_update': 'everyone'},
  'cache and always': {
    'pypi.fallback': 'cache',
    'pypi.always_show_upstream': 'true',
    'pypi.cache_update': 'everyone',
  },
  mirror: {'pypi.fallback': 'mirror'},
}

describe('a private name that somebody has taken upstream', () => {
  for (const [mode, settings] of Object.entries(modes)) {
    it(`never leads there with ${mode}, whoever asks, and the upstream is not asked`, async () => {
      const names = states.flatMap(state => [`acme-${state}`, `corp-${state}`])
      await using upstream = await hostileUpstream(names)
      await using server = await serverBefore(upstream, {...settings, 'pypi.private': 'acme-*'})
      const index = new PackageIndex({...server.backends, config: server.config})
      for (const name of names) {
        if (name.endsWith('never')) continue
        const sent = await server.upload(await buildWheel({name, version: '1.0'}), {name, version: '1.0'})
        assert.equal(sent.statusCode, 200, sent.payload)
        const file = (await index.listFiles(name))[0]!
        if (name.endsWith('deleted')) await index.remove(file)
        if (name.endsWith('yanked')) await index.projectNotes.yank(name, '1.0', {reason: 'bad'})
      }
      for (const name of names) {
        // A name that nobody has published or reserved is not private; what is published is mixed when that is asked for.
        if (name === 'corp-never') continue
        const isMixed = /always|mirror/.test(mode) && !mode.startsWith('none')
        if (isMixed && ['corp-exists', 'corp-yanked'].includes(name)) continue
        for (const reader of readers) {
          for (const {headers = {}, ...request} of requestsFor(name)) {
            const what = `${mode}, ${reader}: ${request.method ?? 'GET'} ${request.url}`
            const answer = await server.app.inject({
              ...request,
              headers: {...headers, ...authorization(reader)},
            })
            const told = JSON.stringify(answer.headers) + answer.payload.replaceAll(request.url, '')
            assert.ok(!told.includes(hostile), `${what}: ${told}`)
            assert.ok(!told.includes(upstream.url), `${what}: ${told}`)
            assert.notEqual(answer.statusCode, 500, what)
          }
        }
        assert.deepEqual(upstream.requests, [], name)
      }
      for (const mark of upstream.marks) assert.ok(!server.log().includes(mark), mark)
    })
  }

  it('leaks by none of a thousand look-ups', async () => {
    await using upstream = await hostileUpstream([])
    await using server = await serverBefore(upstream, {
      'pypi.fallback': 'mirror',
      'pypi.private': 'acme-* inner.*',
      'pypi.disallow_fallback': 'Old_Name',
    })
    await Promise.all(
      Array.from({length: 1000}, (_, i) => {
        const name = [`acme-${i}`, `ACME_x${i}`, `Inner.tool${i}`, 'old.name', `acme..${i}`][i % 5]
        return server.get(i % 2 ? `/simple/${name}/` : `/pypi/${name}/json`, 'admin')
      }),
    )
    assert.deepEqual(upstream.requests, [])
  })

  it('stays private when its last file was a copy and when it was published here once', async () => {
    await using upstream = await hostileUpstream(['corp-lib'])
    await using server = await serverBefore(upstream, {'pypi.fallback': 'cache'})
    const index = new PackageIndex({...server.backends, config: server.config})
    const wheel = `corp_lib-${hostile}-py3-none-any.whl`
    await server.upload(await buildWheel({name: 'corp-lib', version: '1.0'}), {
      name: 'corp-lib',
      version: '1.0',
    })
    assert.equal((await server.get(`/api/package/corp-lib/${wheel}`)).statusCode, 404)
    await index.remove((await index.listFiles('corp-lib'))[0]!)
    assert.equal((await server.get(`/api/package/corp-lib/${wheel}`)).statusCode, 404)
    assert.equal((await server.get('/simple/corp-lib/')).statusCode, 404)
    assert.deepEqual(upstream.requests, [])
    await index.notes.unseal('corp-lib')
    // Another process has lifted it: within a second.
    const page = await waitFor('a page', async () => {
      const answer = await server.get('/simple/corp-lib/')
      return answer.statusCode !== 404 && answer
    })
    assert.match(page.payload, /99\.0/)
  })
})
