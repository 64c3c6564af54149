import {writeFile} from 'node:fs/promises'
import {measureAnswers} from './answers.js'
import {measureCaches} from './caches.js'
import {measureCloudListings} from './cloud-listings.js'
import {measureDumps} from './dumps.js'
import {measureLambda} from './lambda.js'
import {measureLogins} from './logins.js'
import {measurePages} from './pages.js'
import {measureRebuilds} from './rebuilds.js'
import {formatReport, type Row} from './report.js'
import {measureStorages} from './storages.js'
import {measureTools} from './tools.js'
import {measureTransfers} from './transfers.js'

// `npm run bench [pages] [answers] [logins] [caches] [rebuilds] [storages] [tools] [dumps] [transfers] [lambda] [--out FILE]`: a Markdown report on stdout,
// progress on stderr.
const parts = {
  pages: measurePages,
  answers: measureAnswers,
  logins: measureLogins,
  caches: measureCaches,
  rebuilds: measureRebuilds,
  storages: async () => [...(await measureStorages()), ...(await measureCloudListings())],
  transfers: measureTransfers,
  tools: measureTools,
  dumps: measureDumps,
  lambda: measureLambda,
}
const args = process.argv.slice(2)
const out = args.includes('--out') ? args[args.indexOf('--out') + 1] : undefined
const wanted = Object.keys(parts).filter(part => !args.some(arg => arg in parts) || args.includes(part))

// Certificates of this machine: Node reads them each time that it starts, which the programs beside it do not.
delete process.env['NODE_EXTRA_CA_CERTS']
delete process.env['AWS_CA_BUNDLE']

const rows: Row[] = []
for (const part of wanted as (keyof typeof parts)[]) {
  process.stderr.write(`measuring ${part} …\n`)
  rows.push(...(await parts[part]()))
}
const report = formatReport(rows)
process.stdout.write(report)
if (out !== undefined) await writeFile(out, report)
