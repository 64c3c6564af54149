// Which test files there are, in what order they run, and which of them need no second run on a newer Node.
import {readdirSync} from 'node:fs'
import {join} from 'node:path'

/**
 * What runs on one Node only: its weight is in other programs, which are the same for both and were answered rightly on
 * the first one, or it asks several servers what both Nodes have asked of one. Patterns of paths below dist/test, each with
 * its reason.
 */
const otherPrograms = [
  [/^clients\//, 'clients of Python, and pypicloud, which takes an installation over and gives it back'],
  [/-original\.test|^access\/sql-odd-database/, 'pypicloud beside us'],
  [/^load\//, 'a load with kills'],
  [/^services\//, 'the servers that tests start'],
  [/^tasks\/(migrate-s3|migrate-faults|moves|refused-objects)/, 'files that move between clouds'],
  [/^commands\/migrate-(chain|kill)/, 'the same with commands, and kills'],
  [
    /^tasks\/rebuild-together|-servers-faults\.test|^cache\/(redis-cuts|dynamo-faults)|^sql\/frozen/,
    'databases that are cut off',
  ],
  [
    /^lambda\/(faults|function)/,
    'functions on every database, each start of which loads all of AWS; both start one in lambda/rights',
  ],
  [/^access\/slow-hashes/, 'a second for each hash, whose schemes both know from access/passwords'],
  [/-moto\.contract|-dynalite\.test/, 'a second server of a protocol; the other one is asked by both'],
  [
    /^server\/(delivery-clouds|exchanges-|rights-everywhere|simultaneous)|^tasks\/(rebuild-modes|sync)\.|^cache\/undone-changes/,
    'one thing on every database and storage, to each of which both speak in the suites of the contracts',
  ],
  [
    /^commands\/(access-changes|audit|create-s3-sync|explain|gen-password|iam-policy|own-backends|rebuild-cache|storage|sync|token|verify|yank)/,
    'more commands; how one begins, asks, tells and ends is tried by the others',
  ],
]

/** They take longest, and begin first, so that no core waits for the last of them. */
const longOnes = [
  'clients/way-back.test.js',
  'commands/access-changes.test.js',
  'clients/matrix.test.js',
  'clients/odd-bucket-original.test.js',
  'server/rights-everywhere.test.js',
  'load/mixed-load.test.js',
  'storage/azure-blob.contract.test.js',
  'server/beside-original.test.js',
  'clients/way-back-gcs.test.js',
  'access/sql-odd-database.test.js',
  'lambda/function.test.js',
  'cache/redis.test.js',
  'access/sql-servers.test.js',
  'tasks/rebuild-together.test.js',
  'server/delivery.test.js',
  'server/simultaneous.test.js',
  'clients/way-back-configs.test.js',
  'sql/frozen-servers.test.js',
  'server/serve.test.js',
  'tasks/moves.test.js',
  'storage/s3.contract.test.js',
  'storage/azure-blob.test.js',
  'storage/azure-identity.test.js',
]

/** @returns {string[]} the compiled test files, below dist/test of `root`, in the order to run them */
export function testFiles(root) {
  const rank = file => (longOnes.includes(file) ? longOnes.indexOf(file) : longOnes.length)
  return readdirSync(join(root, 'dist/test'), {recursive: true, encoding: 'utf8'})
    .filter(file => file.endsWith('.test.js'))
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))
}

/** @returns {{again: string[], once: Map<string, string[]>}} what of `files` to run a second time, and by reason what not */
export function secondRunOf(files) {
  const again = []
  const once = new Map()
  for (const file of files) {
    const reason = otherPrograms.find(([pattern]) => pattern.test(file))?.[1]
    if (reason === undefined) again.push(file)
    else once.set(reason, [...(once.get(reason) ?? []), file])
  }
  return {again, once}
}
