import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {tool} from '../commands/tool.js'
import {startService, type Service} from '../services/index.js'
import {liveServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {mixedLoad} from './mixed-load.js'

/** PPC_LOAD_SECONDS=300 PPC_LOAD_SEED=2 PPC_LOAD_WORKERS=1 for a longer one, another one, and one that kills workers too. */
const seconds = Number(process.env['PPC_LOAD_SECONDS'] ?? 12)
const seed = Number(process.env['PPC_LOAD_SEED'] ?? 1)
const workers = process.env['PPC_LOAD_WORKERS'] !== undefined

/** Files of whose upload nobody was told are no damage; what lists them is a rebuild. */
async function survives(
  settings: Record<string, string>,
  services: Record<string, Service>,
  tell: (line: string) => void,
): Promise<void> {
  await using temp = await tempDir()
  await using server = await liveServer(temp.path, {...settings, 'pypi.allow_delete': 'true'}, [
    '--workers',
    '2',
  ])
  const report = await mixedLoad(server, {seconds, seed, clients: 8, services, workers, tell})
  const {faults, ...figures} = report
  tell(JSON.stringify(figures))
  assert.deepEqual(faults.slice(0, 20), [], server.log().slice(-3000))
  assert.notEqual(report.published, 0)
  assert.ok(report.memory < 300e6, `${report.memory} bytes`)
  const rebuilt = await waitFor('nobody else rebuilds', async () => {
    const run = await tool(temp.path, 'ppc-rebuild-cache server.ini --full')
    return run.code !== 5 && run
  })
  assert.equal(rebuilt.code, 0, rebuilt.stderr)
  const verified = await tool(temp.path, 'ppc verify server.ini')
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
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
    await survives(settings, {cache: redis}, line => test.diagnostic(line))
  })
})
