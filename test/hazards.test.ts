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
  [
    'an upstream leads to private networks',
    'index/upstream/projects',
    'but not to another network, off TLS or for ever',
  ],
  [
    'names that turn to private addresses',
    'index/upstream/projects',
    'at the address that its name has at that moment',
  ],
  [
    'addresses that are no public ones',
    'index/upstream/addresses',
    'never the link-local one of cloud metadata',
  ],
  ['credentials for others than the upstream', 'index/upstream/projects', 'no other host gets them'],
  ['files that are not what their page says', 'server/upstream-files', 'is neither stored nor served'],
  ['links to storage that live on', 'server/delivery', 'lives a quarter of an hour'],
  ['shared caches keep private pages', 'server/reading', 'are private to readers who are logged in'],
  ['passwords go on to the storage', 'server/delivery', 'and gives the bucket no password'],
  ['tokens give too much', 'server/api-tokens', 'never give more than their owner may'],
  ['weak tokens store files', 'server/upstream-files', 'for API tokens that do not read there'],
  ['long passwords keep the server busy', 'server/api-tokens', 'answers passwords of a megabyte'],
  ['guessed passwords', 'server/slow-down', 'slow their user and address down'],
  ['user names told by time', 'access/fair-logins', 'costs what users cost whose hashes were seen'],
  ['many hashes at once', 'access/passwords', 'leave the event loop free, and past the queue are refused'],
  ['no password at all, to a directory', 'access/ldap-users', 'with their password only'],
  ['filters and DNs in user names', 'access/ldap-users', 'by a name that acts as a filter or as a DN'],
  ['a user found twice', 'access/ldap-users', 'who are two are nobody'],
  ['referrals', 'access/ldap-faults', 'has its users too, unless referrals are ignored'],
  ['a directory that restarts', 'access/ldap-faults', 'that comes back, or loses connections'],
  ['XML and JSON that are none', 'server/fuzz', 'as XML-RPC or JSON is answered with no 500'],
  ['entities that grow', 'server/search', 'expands no entities, reads no files'],
  ['names like members of objects', 'index/publish', 'takes projects called like members of every object'],
  [
    'lost and double writes',
    'server/simultaneous',
    'of simultaneous uploads to two server processes, one wins',
  ],
  ['files that are half there', 'server/delivery', 'that break off in the bucket never look whole'],
  ['strangers in a directory', 'storage/file', 'reports strangers and goes on'],
  ['strangers in a rebuild', 'tasks/rebuild', 'reports stray files and a second file of one name'],
  ['what crashes leave', 'tasks/verify', 'reports strays, and what crashes have left'],
  ['a file name with other bytes', 'index/publish', 'refuses other bytes under a name that is there'],
  [
    'the same after a deletion',
    'server/upload-addresses',
    'takes no other bytes for a file name by way of a deletion',
  ],
  ['spellings of a name', 'clients/matrix', 'installs by any spelling of the name'],
  ['a second sdist by another spelling', 'index/publish', 'refuses a second sdist of a release'],
  ['forged Host and X-Forwarded headers', 'server/bad-input', 'a forged Host leads nobody away'],
  ['requests hidden in others', 'server/bad-input', 'by ${what} are not answered'],
  ['quarantined files by another way', 'index/project-notes', 'quarantined offers no file'],
  ['endless forms', 'server/bad-input', 'a form with ${what} is refused'],
  [
    'clients that stop half-way',
    'server/bad-input',
    'a client that promises 3 GB and goes away leaves nothing',
  ],
  ['dialects of S3', 'storage/s3-moto.contract', "describeS3('moto'"],
  ['events that come late, twice and in reverse', 'lambda/function', 'late, doubled and in reverse'],
  ['events that nobody understands', 'lambda/function', 'works off what it can, and asks for the rest again'],
  ['a dump that can not be taken back', 'tasks/moves', 'may do the same in ${target} as in ${source}'],
  [
    'an index that can not be built up again',
    'tasks/rebuild',
    'fills an empty one from what pypicloud stored',
  ],
  ['a dump that others can read', 'commands/access', 'writes a private file'],
  ['a config that others can read', 'commands/make-config', 'a private config'],
  ['secrets in messages', 'config/config', 'never shows a secret in problems or warnings'],
]

describe('of every hazard there is a test', () => {
  for (const [hazard, file, title] of hazards)
    it(hazard, async () => {
      const tests = await readFile(join(repoRoot, 'test', `${file}.test.ts`), 'utf8')
      assert.ok(tests.includes(title), `test/${file}.test.ts: ${title}`)
    })
})
