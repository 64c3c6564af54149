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
      mayUpdate = true,
    }: Partial<Omit<PageRequest, 'name'>> = {},
  ) => {
    const origin = await policy.decide({name, exists, mayRead, mayUpdate, loggedIn, kind})
    if (origin.kind === 'upstream') return origin.links
    return origin.kind === 'redirect' ? origin.location : origin.kind
  }
  return Object.assign(opened, {decide, policy})
}

describe('a name', () => {
  it('is answered by whom the table of each mode says', async () => {
    // exists read update: what a user and what nobody gets; `here` and `there` are pages with the upstream's files
    const tables: Record<string, string> = {
      none: `
        yes yes yes  local local
        yes yes no   local local
        yes no  yes  notFound unauthorized
        no  yes yes  notFound notFound
        no  yes no   notFound notFound
        no  no  yes  notFound unauthorized`,
      redirect: `
        yes yes yes  local local
        yes yes no   local local
        yes no  yes  notFound unauthorized
        no  yes yes  302 302
        no  yes no   302 302
        no  no  yes  302 302`,
      'redirect always': `
        yes yes yes  there there
        yes yes no   there there
        yes no  yes  notFound unauthorized
        no  yes yes  302 302
        no  no  yes  302 302`,
      cache: `
        yes yes yes  local local
        yes yes no   local local
        yes no  yes  notFound unauthorized
        no  yes yes  here here
        no  yes no   notFound unauthorized
        no  no  yes  notFound unauthorized
        no  no  no   notFound unauthorized`,
      'cache always': `
        yes yes yes  here here
        yes yes no   there unauthorized
        yes no  yes  notFound unauthorized
        yes no  no   notFound unauthorized
        no  yes yes  here here
        no  yes no   302 unauthorized
        no  no  yes  302 unauthorized
        no  no  no   302 unauthorized`,
    }
    tables['none always'] = tables['none']!
    tables['mirror'] = tables['cache always']!
    for (const [mode, table] of Object.entries(tables)) {
      const [fallback = '', always] = mode.split(' ')
      await using opened = await open({
        'pypi.fallback': fallback,
        'pypi.always_show_upstream': always ? 'true' : 'false',
        'pypi.private': 'acme-*',
      })
      const none = Object.fromEntries(
        linesOf(tables['none']!).map(line => [line.slice(0, 3).join(), line.slice(3)]),
      )
      for (const [exists, read, update, ...expected] of linesOf(table)) {
        for (const [i, loggedIn] of [true, false].entries()) {
          const asked = {
            exists: exists === 'yes',
            mayRead: read === 'yes',
            mayUpdate: update === 'yes',
            loggedIn,
          }
          const found = await opened.decide('x', asked)
          const what = `${mode}: ${exists} ${read} ${update} ${loggedIn}`
          assert.equal(found.startsWith('http') ? '302' : found, expected[i], what)
          const sealed = read === 'no' ? none[`${exists},no,yes`] : none[`${exists},yes,yes`]
          assert.equal(await opened.decide('acme-x', asked), sealed?.[i], `reserved, ${what}`)
        }
      }
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

  it('goes nowhere when its rows came back, and were complete, after it was looked for', async () => {
    await using opened = await open(redirecting)
    const built = await buildWheel({name: 'acme-core', version: '1.0'})
    await opened.index.publish(await uploadOf(opened.directory, built), {overwrite: false})
    assert.equal(await opened.decide('acme-core', {exists: false}), 'unavailable')
  })

  it('is not gone because it was sealed, until the list of files is known to be complete', async () => {
    await using opened = await open(redirecting, false)
    await opened.index.notes.seal(['x']) // and published again
    assert.equal(await opened.decide('x'), 'unavailable')
    await opened.cache.setState(completeMark, 'now')
    assert.equal(await opened.decide('x'), 'notFound')
  })

  it('is sealed no longer when its last file is uploaded again after a deletion that failed', async () => {
    await using opened = await open(redirecting)
    const built = await buildWheel({name: 'acme-core', version: '1.0'})
    const publish = async () =>
      opened.index.publish(await uploadOf(opened.directory, built), {overwrite: false})
    await publish()
    await opened.index.notes.seal(['acme-core'])
    assert.equal((await publish()).outcome, 'unchanged')
    assert.equal(await opened.policy.isSealed('acme-core'), false)
  })

  it('is not mixed with the upstream while files of it may be here without a row', async () => {
    await using opened = await open({...redirecting, 'pypi.always_show_upstream': 'true'}, false)
    assert.equal(await opened.decide('x', {exists: true}), 'local')
    await opened.cache.setState(completeMark, 'now')
    assert.equal(await opened.decide('x', {exists: true}), 'there')
  })

  it('may be redirected to files younger than pypi.upstream_age, which the operator is told', async () => {
    await using opened = await open({...redirecting, 'pypi.upstream_age': '7'})
    assert.match(originNotices(opened.config).join(), /upstream_age/)
    await using plain = await open(redirecting)
    assert.deepEqual(originNotices(plain.config), [])
  })
})

describe('a file that is not here', () => {
  it('may be fetched where its project is the upstream’s', async () => {
    const settings = {'pypi.private': 'acme-*', 'pypi.disallow_fallback': 'old'}
    for (const [mode, fresh, beside] of [
      ['none', false, false],
      ['redirect', false, false],
      ['cache', true, false],
      ['mirror', true, true],
    ] as const) {
      await using opened = await open({...settings, 'pypi.fallback': mode})
      const {policy} = opened
      assert.equal(await policy.mayFetch('x', {isPublished: false}), fresh, mode)
      assert.equal(await policy.mayFetch('x', {isPublished: true}), beside, mode)
      assert.equal(await policy.mayFetch('acme-x', {isPublished: false}), false)
      assert.equal(await policy.mayFetch('old', {isPublished: false}), false)
      await opened.index.notes.seal(['x'])
      assert.equal(await policy.mayFetch('x', {isPublished: false}), false)
      await opened.cache.setState(completeMark, undefined)
      assert.equal(await policy.mayFetch('y', {isPublished: false}), false)
    }
  })
})

const linesOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map(line => line.trim().split(/ +/))
