import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {tool} from '../commands/tool.js'
import {startService, type Service} from '../services/index.js'
import {freePort, liveServer, startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {mixedLoad} from './mixed-load.js'

/** PPC_LOAD_SECONDS=300 PPC_LOAD_SEED=2 PPC_LOAD_SERVERS=2 for a longer one, another one, and one on two servers. */
const seconds = Number(process.env['PPC_LOAD_SECONDS'] ?? 12)
const seed = Number(process.env['PPC_LOAD_SEED'] ?? 1)
const servers = Number(process.env['PPC_LOAD_SERVERS'] ?? 1)

async function moreServers(file: string, options: string[]) {
  const start = async () => startServer(file, await freePort(), options)
  const more = await Promise.all(Array.from({length: servers - 1}, start))
  const end = async () => {
    await Promise.all(more.map(each => each[Symbol.asyncDispose]()))
  }
  return {servers: more, [Symbol.asyncDispose]: end}
}

/** Files of whose upload nobody was told are no damage; what lists them is a rebuild. */
async function survives(
  settings: Record<string, string>,
  services: Record<string, Service>,
  tell: (line: string) => void,
  {killsWorkers = true} = {},
): Promise<void> {
  await using temp = await tempDir()
  const workers = ['--workers', '2']
  await using server = await liveServer(temp.path, {...settings, 'pypi.allow_delete': 'true'}, workers)
  await using others = await moreServers(temp.join('server.ini'), workers)
  const all = [server, ...others.servers] as const
  const report = await mixedLoad(all, {seconds, seed, clients: 8, services, workers: killsWorkers, tell})
  const {faults, ...figures} = report
  tell(JSON.stringify(figures))
  assert.deepEqual(faults.slice(0, 20), [], all.map(each => each.log().slice(-3000)).join('\n'))
  assert.notEqual(report.published, 0)
  assert.ok(report.memory < 300e6, `${report.memory} bytes`)
  const rebuilt = await waitFor('nobody else rebuilds', async () => {
    const run = await tool(temp.path, 'ppc-rebuild-cache server.ini --full')
    return run.code !== 5 && run
  })
  assert.equal(rebuilt.code, 0, rebuilt.stderr)
  const verified = await tool(temp.path, 'ppc verify server.ini')
  const lines = (verified.stdout + verified.stderr).trim().split('\n')
  // what a killed worker was writing is left, and nobody's damage
  assert.deepEqual(
    lines.filter(line => !/^(?:leftover: |ppc verify: .* deprecated|\d+ files?, )/.test(line)),
    [],
  )
}

describe('mixed traffic while what the server needs is killed and frozen', () => {
  it('loses nothing with PostgreSQL and a bucket', needs('postgresql', 'versitygw'), async test => {
    await using database = await startService('postgresql', {restarts: true})
    await using gateway = await startService('versitygw', {restarts: true})
    const settings = {
      'pypi.storage': 's3',
      'storage.bucket': 'packages',
      'storage.endpoint_url': gateway.url,
      'storage.region_name': 'us-east-1',
      'storage.aws_access_key_id': gateway.accessKeyId,
      'storage.aws_secret_access_key': gateway.secretAccessKey,
      'pypi.stream_files': 'true',
      'db.url': database.url,
    }
    await survives(settings, {cache: database, storage: gateway}, line => test.diagnostic(line))
  })
  it('loses nothing with Redis, which forgets everything, and a directory', needs('redis'), async test => {
    await using redis = await startService('redis', {restarts: true})
    const settings = {'pypi.db': 'redis', 'db.url': redis.url}
    // a worker that starts in the moment in which Redis is back, and empty, can not know that it was not empty before
    const killsWorkers = false
    await survives(settings, {cache: redis}, line => test.diagnostic(line), {killsWorkers})
  })
  it('loses nothing with SQLite and a directory', async test => {
    await survives({}, {}, line => test.diagnostic(line))
  })
})
