import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {repoRoot} from './support/paths.js'

/** What may go wrong with an index that is reached by HTTP, and which test tries it. */
const hazards: readonly (readonly [hazard: string, file: string, title: string])[] = [
  ['a private name comes from upstream', 'server/private-names', 'never leads there with'],
  ['private names leak by look-ups', 'server/private-names', 'leaks by none of a thousand look-ups'],
  ['a wrong status makes clients look elsewhere', 'server/sample-rules', 'the pages of ${name}'],
  ['credentials that are wrong install something', 'clients/matrix', 'and none that are wrong'],
  ['names and versions lead out of the directory', 'server/bad-input', 'the file name'],
  ['anything else in a form does', 'server/fuzz', 'writes nothing but packages'],
  ['markup in names and fields', 'index/pages', 'keeps markup in names and fields harmless'],
  ['foreign pages change something', 'server/bad-input', 'foreign web pages'],
  ['bombs', 'packaging/archives', 'bombs, in little memory'],
  [
    'archives that are read in two ways',
    'packaging/archives-in-order',
    'has nothing behind the end of a tar',
  ],
  ['file name, form and metadata disagree', 'packaging/checks', 'names what differs'],
  ['digests that are not checked', 'server/bad-input', 'a digest that comes after the file counts too'],
  ['links to storage that live on', 'server/delivery', 'lives a quarter of an hour'],
  ['shared caches keep private pages', 'server/reading', 'are private to readers who are logged in'],
  ['tokens give too much', 'server/api-tokens', 'never give more than their owner may'],
  ['long passwords keep the server busy', 'server/api-tokens', 'answers passwords of a megabyte'],
  ['XML and JSON that are none', 'server/fuzz', 'as XML-RPC or JSON is answered with no 500'],
  ['names like members of objects', 'index/publish', 'takes projects called like members of every object'],
  [
    'lost and double writes',
    'server/simultaneous',
    'of simultaneous uploads to two server processes, one wins',
  ],
  ['files that are half there', 'server/delivery', 'that break off in the bucket never look whole'],
  ['spellings of a name', 'clients/matrix', 'installs by any spelling of the name'],
  ['a second sdist by another spelling', 'index/publish', 'refuses a second sdist of a release'],
  ['forged Host and X-Forwarded headers', 'server/bad-input', 'a forged Host leads nobody away'],
  ['quarantined files by another way', 'index/project-notes', 'quarantined offers no file'],
  ['endless forms', 'server/bad-input', 'a form with ${what} is refused'],
  [
    'clients that stop half-way',
    'server/bad-input',
    'a client that promises 3 GB and goes away leaves nothing',
  ],
]

describe('of every hazard there is a test', () => {
  for (const [hazard, file, title] of hazards)
    it(hazard, async () => {
      const tests = await readFile(join(repoRoot, 'test', `${file}.test.ts`), 'utf8')
      assert.ok(tests.includes(title), `test/${file}.test.ts: ${title}`)
    })
})
