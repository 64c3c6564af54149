import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {needs} from '../support/needs.js'
import type {FakeUpstream} from '../support/upstream.js'
import {accountRequests} from './beside/cases/accounts.js'
import {administrationChanges, administrationLists} from './beside/cases/administration.js'
import {oddAdministration, oddArguments} from './beside/cases/arguments.js'
import {oddMethods} from './beside/cases/methods.js'
import {overwritingRequests} from './beside/cases/overwriting.js'
import {badCredentials, conditionalRequests, oddAddresses, readingRequests} from './beside/cases/reading.js'
import {searchRequests} from './beside/cases/search.js'
import {uploadRequests} from './beside/cases/uploads.js'
import {upstreamRequests} from './beside/cases/upstream.js'
import {explain, rowsAboutNone} from './beside/explain.js'
import {startPair, type Pair} from './beside/pair.js'
import type {Asked} from './beside/request.js'
import {leftRequests, storedFiles} from './beside/state.js'
import {recordedUpstream} from './replay/upstream.js'

type Groups = Readonly<Record<string, readonly Asked[]>>

const usual: Groups = {
  'pages, lists and files': readingRequests,
  'addresses that hide what they mean': oddAddresses,
  'conditions, ranges and what the client accepts': conditionalRequests,
  'credentials that are none': badCredentials,
  'methods that nobody uses': oddMethods,
  'bodies that hold other things': oddArguments,
  search: searchRequests,
  'what administrators look at': administrationLists,
  'what administrators change': administrationChanges,
  'what administrators say wrongly': oddAdministration,
  'accounts and sessions': accountRequests,
  'uploads and deletions': await uploadRequests(),
  'what is left of all that': leftRequests,
}
const overwriting: Groups = {'uploads, downloads and deletions': await overwritingRequests()}
const copying: Groups = {'pages and files': upstreamRequests}

describe('this server answers as pypicloud beside it', needs('pypicloud'), () => {
  let upstream: FakeUpstream
  before(async () => {
    upstream = await recordedUpstream()
  })
  after(() => upstream[Symbol.asyncDispose]())

  compare('', () => ({}), usual)
  compare(
    ', where some may overwrite and others delete',
    () => ({
      'pypi.fallback': 'none',
      'pypi.stream_files': 'true',
      'pypi.package_max_age': '3600',
      'pypi.allow_overwrite_groups': 'devs admin',
      'pypi.allow_delete_groups': 'ops',
    }),
    overwriting,
  )
  const copies = {'pypi.fallback': 'cache', 'pypi.use_json_scraper': 'true'}
  compare(
    ', with copies of an upstream',
    () => ({...copies, 'pypi.fallback_base_url': upstream.url}),
    copying,
  )
})

it('every meant difference is about a request that is sent', () => {
  assert.deepEqual(
    rowsAboutNone([usual, overwriting, copying].flatMap(groups => Object.values(groups).flat())),
    [],
  )
})

/** Sends all of `groups` to an installation with `settings`, one after the other. */
function compare(where: string, settings: () => Record<string, string>, groups: Groups): void {
  describe(`on one installation${where}`, () => {
    let pair: Pair
    before(async () => {
      pair = await startPair(settings())
    })
    after(() => pair[Symbol.asyncDispose]())

    for (const [what, requests] of Object.entries(groups)) {
      it(what, async () => {
        const unmeant: string[] = []
        for (const asked of requests) unmeant.push(...explain(asked, await pair.differencesOf(asked)))
        if (unmeant.length > 0) assert.fail(`not meant:\n${unmeant.join('\n')}`)
      })
    }
    it('and both have stored the same files', async () => {
      const [theirs, ours] = await Promise.all(pair.directories.map(storedFiles))
      assert.deepEqual(ours, theirs)
    })
    it('and as the OpenAPI document says', async () => {
      assert.deepEqual([...new Set(await pair.undeclared())], [])
    })
  })
}
