import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {completeMark} from '../../src/lib/cache/cache.js'
import {OriginPolicy, originNotices, type PageRequest} from '../../src/lib/index/origin.js'
import {buildWheel} from '../support/wheels.js'
import {freshIndex, uploadOf} from './open-index.js'

const upstream = 'http://127.0.0.1:9'
const redirecting = {'pypi.fallback': 'redirect', 'pypi.fallback_base_url': `${upstream}/`}

async function open(settings: Record<string, string>, complete = true) {
  const opened = await freshIndex(settings)
  if (complete) await opened.cache.setState(completeMark, new Date().toISOString())
  const policy = new OriginPolicy({...opened, notes: opened.index.notes})
  const decide = async (
    name: string,
    {
      exists = false,
      mayRead = true,
      loggedIn = true,
      kind = 'simple',
    }: Partial<Omit<PageRequest, 'name'>> = {},
  ) => {
    const origin = await policy.decide({name, exists, mayRead, loggedIn, kind})
    return origin.kind === 'redirect' ? origin.location : origin.kind
  }
  return Object.assign(opened, {decide})
}

describe('a name', () => {
  it('is answered here alone without a fallback', async () => {
    for (const mode of ['none', 'cache', 'mirror']) {
      await using opened = await open({'pypi.fallback': mode})
      const {decide} = opened
      assert.equal(await decide('x', {exists: true}), 'local')
      assert.equal(await decide('x', {exists: true, mayRead: false}), 'notFound')
      assert.equal(await decide('x', {exists: true, mayRead: false, loggedIn: false}), 'unauthorized')
      assert.equal(await decide('x'), 'notFound')
      assert.equal(await decide('x', {loggedIn: false}), 'notFound')
      assert.equal(await decide('x', {mayRead: false, loggedIn: false}), 'unauthorized')
    }
  })

  it('is not called unknown while the cache is not complete, lest a client looks for it elsewhere', async () => {
    await using opened = await open({'pypi.fallback': 'none', 'pypi.private': 'acme-*'}, false)
    const {decide} = opened
    assert.equal(await decide('x', {exists: true}), 'local')
    assert.equal(await decide('x'), 'unavailable')
    assert.equal(await decide('x', {mayRead: false}), 'notFound')
    assert.equal(await decide('x', {mayRead: false, loggedIn: false}), 'unauthorized')
    assert.equal(await decide('acme-x'), 'unavailable')
    assert.equal(await decide('acme-x', {mayRead: false}), 'notFound')
  })

  it('that is stored is never redirected, whoever asks', async () => {
    await using opened = await open(redirecting)
    assert.equal(await opened.decide('x', {exists: true}), 'local')
    assert.equal(await opened.decide('x', {exists: true, mayRead: false}), 'notFound')
    assert.equal(await opened.decide('x', {exists: true, mayRead: false, loggedIn: false}), 'unauthorized')
  })

  it('that is unknown is redirected as the client spelt it', async () => {
    await using opened = await open(redirecting)
    const {decide} = opened
    assert.equal(await decide('Up.Named_pkg'), `${upstream}/simple/Up.Named_pkg/`)
    assert.equal(await decide('up-only', {mayRead: false, loggedIn: false}), `${upstream}/simple/up-only/`)
    assert.equal(await decide('up-only', {kind: 'json'}), `${upstream}/pypi/up-only/json`)
    assert.equal(await decide('constructor'), `${upstream}/simple/constructor/`)
  })

  it('goes to the old kind of upstream address when only that is set', async () => {
    await using opened = await open({'pypi.fallback': 'redirect', 'pypi.fallback_url': `${upstream}/index/`})
    assert.equal(await opened.decide('Odd'), `${upstream}/index/Odd/`)
    assert.equal(await opened.decide('Odd', {kind: 'json'}), `${upstream}/index/Odd/`)
  })

  it('that is none of a project goes nowhere', async () => {
    await using opened = await open(redirecting)
    for (const name of ['über', '-x', 'a b', '..', '__proto__'])
      assert.equal(await opened.decide(name), 'notFound')
  })

  it('that is reserved stays here in every spelling, also for administrators', async () => {
    await using opened = await open({
      ...redirecting,
      'pypi.private': 'Acme_* inner.tool',
      'pypi.disallow_fallback': 'Old_Name',
    })
    const {decide} = opened
    for (const name of ['acme-core', 'ACME.core', 'acme__core', 'Inner-Tool', 'old.name', 'OLD--NAME']) {
      assert.equal(await decide(name), 'notFound', name)
      assert.equal(await decide(name, {kind: 'json'}), 'notFound', name)
      assert.equal(await decide(name, {mayRead: false, loggedIn: false}), 'unauthorized', name)
    }
    for (const name of ['acme', 'not-acme-core', 'inner-tool2', 'innerxtool', 'old-names']) {
      assert.match(await decide(name), /^http/, name)
    }
  })

  it('that was published and deleted stays here, also when another server did it a moment ago', async () => {
    await using opened = await open(redirecting)
    const {index, directory, decide} = opened
    assert.match(await decide('acme-core'), /^http/)
    const built = await buildWheel({name: 'acme-core', version: '1.0'})
    const {file} = await index.publish(await uploadOf(directory, built), {overwrite: false})
    await index.remove(file)
    assert.equal(await decide('Acme.Core'), 'notFound')
    assert.equal(await decide('acme-core', {mayRead: false, loggedIn: false}), 'unauthorized')
    await opened.cache.remove([file])
    await opened.cache.setState(completeMark, 'again') // the cache was lost and rebuilt
    assert.equal(await decide('acme-core'), 'notFound')
  })

  it('goes nowhere until the list of files is known to be complete', async () => {
    await using opened = await open(redirecting, false)
    assert.equal(await opened.decide('x'), 'unavailable')
    assert.equal(await opened.decide('x', {mayRead: false, loggedIn: false}), 'unavailable')
    await opened.cache.setState(completeMark, 'now')
    assert.match(await opened.decide('x'), /^http/)
  })

  it('of a mode that is not in this version gives a notice', async () => {
    await using opened = await open({'pypi.fallback': 'mirror'})
    assert.match(originNotices(opened.config).join(), /pypi\.fallback = mirror/)
    await using plain = await open(redirecting)
    assert.deepEqual(originNotices(plain.config), [])
  })
})
