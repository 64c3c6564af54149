// Runs every compiled test, or those whose path contains one of the arguments, and counts what ran.
// Without arguments all but those whose weight is in other programs run once more on a newer Node (test-files.mjs).
// The last line is `N passed, N failed, N skipped`; the exit code is 0 only when nothing failed and something passed.
import {availableParallelism} from 'node:os'
import {join, relative} from 'node:path'
import {spec} from 'node:test/reporters'
import {run} from 'node:test'
import {fileURLToPath} from 'node:url'
import {secondRun, testOnNewerNode} from './newer-node.mjs'
import {secondRunOf, testFiles} from './test-files.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const options = process.argv.slice(2).filter(argument => argument.startsWith('--'))
const filters = process.argv.slice(2).filter(argument => !argument.startsWith('--'))
const isSecondRun = options.includes(secondRun)
const {again, once} = secondRunOf(testFiles(root))
const files = (isSecondRun ? again : testFiles(root))
  .map(file => join(root, 'dist/test', file))
  .filter(path => filters.length === 0 || filters.some(filter => path.includes(filter)))

/** @returns {string} what a failure says of itself, indented, where its test stands among thousands of lines */
function whyOf(error) {
  const cause = error?.cause ?? error
  const text = String(cause?.stack ?? cause?.message ?? cause ?? '').slice(0, 2000)
  return text === '' ? '' : `\n${text.replaceAll(/^/gm, '    ')}`
}

const counts = {passed: 0, failed: 0, skipped: 0}
const skips = new Map()
const failures = []
/** Seconds that the suites of a file took, most of which ran beside others. */
const seconds = new Map()

// Twice as many files at once as there are cores: half of their time they wait for servers to start and for time to pass.
const concurrency = Math.min(16, 2 * Math.max(2, availableParallelism()))
const events = run({files, concurrency, timeout: 20 * 60_000}) // the longest takes three minutes on two cores
for (const event of ['test:pass', 'test:fail'])
  events.on(event, ({file, nesting, details}) => {
    if (file && nesting === 0)
      seconds.set(file, (seconds.get(file) ?? 0) + (details?.duration_ms ?? 0) / 1000)
  })
events.on('test:pass', data => {
  if (files.includes(data.name)) {
    counts.failed += 1 // a file reports itself only when no test ran in it
    failures.push(`${relative(root, data.name)}: no test ran`)
    return
  }
  if (data.skip !== undefined || data.todo !== undefined) {
    if (data.details?.type === 'suite' && data.skip === undefined) return
    counts.skipped += 1
    const reason = String(data.skip ?? data.todo)
    skips.set(reason, [...(skips.get(reason) ?? []), data.name])
  } else if (data.details?.type !== 'suite') counts.passed += 1
})
events.on('test:fail', data => {
  // A suite fails with its tests; alone it fails by a hook. A file fails when it can't be run at all.
  const cause = data.details?.error?.failureType
  if (data.details?.type === 'suite' && cause === 'subtestsFailed') return
  if (files.includes(data.name) && cause === 'subtestsFailed') return
  counts.failed += 1
  failures.push(`${data.file ? relative(root, data.file) : ''}: ${data.name}${whyOf(data.details?.error)}`)
})
const report = events.compose(new spec())
report.pipe(process.stdout, {end: false})
await new Promise(resolve => report.on('end', resolve))

const slowest = [...seconds].sort((one, other) => other[1] - one[1]).slice(0, filters.length > 0 ? 0 : 12)
for (const [file, taken] of slowest) console.log(`${taken.toFixed(0)} s: ${relative(root, file)}`)
for (const [reason, names] of skips) console.log(`skipped ${names.length}: ${reason}`)
if (isSecondRun)
  for (const [reason, ran] of once) console.log(`ran on the first Node only: ${ran.join(', ')}: ${reason}`)

const required = (process.env.PPC_TEST_REQUIRE ?? '').split(/[\s,]+/)
if (filters.length === 0 && !isSecondRun) {
  const newer = testOnNewerNode()
  if ('reason' in newer) {
    const missing = required.includes('all') || required.includes('newer-node')
    console.log(`${missing ? 'failed' : 'skipped'}: the tests on a newer Node: ${newer.reason}`)
    counts[missing ? 'failed' : 'skipped'] += 1
  } else for (const key of Object.keys(counts)) counts[key] += newer[key]
}
// Next to the last line, because of a long log often only the end is kept.
for (const failure of failures) console.log(`failed: ${failure}`)
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1
