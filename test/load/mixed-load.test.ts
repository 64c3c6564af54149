import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {tool} from '../commands/tool.js'
import {azureSettings, gcsSettings, s3Settings} from '../server/cloud-settings.js'
import {startService, type Service} from '../services/index.js'
import type {Versitygw} from '../services/versitygw.js'
import {freePort} from '../support/free-port.js'
import {liveServer, startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import type {Victim, Victims} from './disturbances.js'
import {mixedLoad} from './mixed-load.js'

/**
 * PPC_LOAD_SECONDS=300 PPC_LOAD_SEED=2 PPC_LOAD_SERVERS=2 for a longer one, another one, and one on two servers. Then
 * other services have their turn too.
 */
const seconds = Number(process.env['PPC_LOAD_SECONDS'] ?? 12)
const seed = Number(process.env['PPC_LOAD_SEED'] ?? 1)
const servers = Number(process.env['PPC_LOAD_SERVERS'] ?? 1)

/** As `needs`, for a load that takes its time. */
const needsTime = (...names: string[]) =>
  seconds < 60 ? {skip: 'needs time (PPC_LOAD_SECONDS=240)'} : needs(...names)

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
  services: Victims['services'],
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
  assert.deepEqual(faults.slice(0, 20), [], linesAbout(faults, all.map(each => each.log()).join('\n')))
  assert.notEqual(report.published, 0)
  assert.ok(report.memory < 300e6, `${report.memory} bytes`)
  const rebuilt = await waitFor('nobody else rebuilds', async () => {
    const run = await tool(temp.path, 'ppc-rebuild-cache server.ini --full')
    return run.code !== 5 && run
  })
  assert.equal(rebuilt.code, 0, rebuilt.stderr)
  assert.deepEqual(await report.removeUnsure(), [])
  const verified = await tool(temp.path, 'ppc verify server.ini')
  const lines = (verified.stdout + verified.stderr).trim().split('\n')
  // what a killed worker was writing is left, and nobody's damage
  assert.deepEqual(
    lines.filter(line => !/^(?:leftover: |ppc verify: .* deprecated|[\d,]+ files?, )/.test(line)),
    [],
  )
}

/** What the servers have logged of the requests and files that faults name, and the end of it. */
function linesAbout(faults: readonly string[], log: string): string {
  const ids = faults.flatMap(fault => fault.match(/[\w-]+\.whl|(?<=\()[\w-]{6,}(?=\))/g) ?? [])
  const lines = log.split('\n')
  return [...lines.filter(line => ids.some(id => line.includes(id))).slice(0, 200), ...lines.slice(-20)].join(
    '\n',
  )
}

const bucketOf = (gateway: Versitygw): Record<string, string> =>
  s3Settings(gateway.url, gateway, {'pypi.stream_files': 'true'})
const mayDie = (service: Service): Victim => ({service, mayDie: true})
/** Of what keeps everything in memory. */
const mayFreeze = (service: Service): Victim => ({service, mayDie: false})

describe('mixed traffic while what the server needs is killed and frozen', () => {
  it('loses nothing with PostgreSQL and a bucket', needs('postgresql', 'versitygw'), async test => {
    await using database = await startService('postgresql', {restarts: true})
    await using gateway = await startService('versitygw', {restarts: true})
    const victims = {cache: mayDie(database), storage: mayDie(gateway)}
    await survives({...bucketOf(gateway), 'db.url': database.url}, victims, line => test.diagnostic(line))
  })
  it('loses nothing with Redis, which forgets everything, and a directory', needs('redis'), async test => {
    await using redis = await startService('redis', {restarts: true})
    const settings = {'pypi.db': 'redis', 'db.url': redis.url}
    // a worker that begins in a moment of Redis's end is rare: that is for long loads
    const options = {killsWorkers: seconds >= 60}
    await survives(settings, {cache: mayDie(redis)}, line => test.diagnostic(line), options)
  })
  it('loses nothing with SQLite and a directory', async test => {
    await survives({}, {}, line => test.diagnostic(line))
  })
  it('loses nothing with MariaDB and a container of Azure', needsTime('mariadb', 'azurite'), async test => {
    await using database = await startService('mariadb', {restarts: true})
    await using azurite = await startService('azurite')
    const settings = {...azureSettings(azurite), 'pypi.stream_files': 'true', 'db.url': database.url}
    const victims = {cache: mayDie(database), storage: mayFreeze(azurite)}
    await survives(settings, victims, line => test.diagnostic(line))
  })
  it(
    'loses nothing with MariaDB and a bucket of Google',
    needsTime('mariadb', 'fake-gcs-server'),
    async test => {
      await using database = await startService('mariadb', {restarts: true})
      await using gcs = await startService('fake-gcs-server')
      const settings = {...gcsSettings(gcs), 'pypi.stream_files': 'true', 'db.url': database.url}
      const victims = {cache: mayDie(database), storage: mayFreeze(gcs)}
      await survives(settings, victims, line => test.diagnostic(line))
    },
  )
  it(
    'loses nothing with Redis, which forgets everything, and a bucket',
    needsTime('redis', 'versitygw'),
    async test => {
      await using redis = await startService('redis', {restarts: true})
      await using gateway = await startService('versitygw', {restarts: true})
      const settings = {...bucketOf(gateway), 'pypi.db': 'redis', 'db.url': redis.url}
      const victims = {cache: mayDie(redis), storage: mayDie(gateway)}
      await survives(settings, victims, line => test.diagnostic(line))
    },
  )
  it('loses nothing with DynamoDB and a bucket', needsTime('dynalite', 'versitygw'), async test => {
    await using dynalite = await startService('dynalite', {restarts: true})
    await using gateway = await startService('versitygw', {restarts: true})
    const settings = {
      ...bucketOf(gateway),
      'pypi.db': 'dynamo',
      'db.region_name': 'us-east-1',
      'db.host': '127.0.0.1',
      'db.port': String(dynalite.port),
      'db.aws_access_key_id': 'AKIDEXAMPLE',
      'db.aws_secret_access_key': 'secret',
    }
    const victims = {cache: mayDie(dynalite), storage: mayDie(gateway)}
    await survives(settings, victims, line => test.diagnostic(line))
  })
})
