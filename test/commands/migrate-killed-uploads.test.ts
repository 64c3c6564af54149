import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {createHash, randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {cp, mkdir, writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import type {Azurite} from '../services/azurite.js'
import {startFaultProxy, type FaultProxy, type SeenRequest} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {AzureContainers} from '../storage/open-azure.js'
import {gcsConfigText, openGcs} from '../storage/open-gcs.js'
import type {ObjectStore} from '../../src/lib/storage/storage.js'
import type {MigrateReport} from '../../src/lib/tasks/migrate/migrate.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {allDigestsAreRight, packages} from '../tasks/migrate-places.js'
import {binPath, sqlConfig, tool} from './tool.js'

/** One service in front of which a proxy does harm. */
interface Cloud extends AsyncDisposable {
  readonly proxy: FaultProxy
  /** Text of a config for a bucket or container, by way of the proxy. */
  config(place: string): string
  /** The same place, without the proxy. */
  open(place: string): Promise<ObjectStore>
}

async function azureCloud(): Promise<Cloud> {
  const azurite: Azurite = await startService('azurite')
  const proxy = await startFaultProxy(azurite.url)
  const containers = await AzureContainers.on(azurite)
  return {
    proxy,
    config: place => {
      const settings = containers.settings(place, {'storage.storage_account_url': proxy.url})
      return ['[app:main]', ...Object.entries(settings).map(pair => pair.join(' = ')), ''].join('\n')
    },
    open: place => containers.open(place),
    async [Symbol.asyncDispose]() {
      await containers[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await azurite[Symbol.asyncDispose]()
    },
  }
}

async function gcsCloud(): Promise<Cloud> {
  const service: Service = await startService('fake-gcs-server')
  const proxy = await startFaultProxy(service.url)
  const dir = await tempDir()
  return {
    proxy,
    config: place => gcsConfigText(proxy.url, {'storage.bucket': place}),
    open: place => openGcs(dir.path, service.url, {'storage.bucket': place}),
    async [Symbol.asyncDispose]() {
      await dir[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
    },
  }
}

const files = 15
const largeKey = 'large/1.0/large-1.0.zip'

/** What pypicloud wrote into a directory, and one file that is uploaded in parts. */
async function installation(cloudConfig: string) {
  const dir = await tempDir()
  await cp(packages, dir.join('old-packages'), {recursive: true})
  await mkdir(dir.join('old-packages/large/1.0'), {recursive: true})
  const bytes = randomBytes(20 << 20)
  const meta = {hash_sha256: createHash('sha256').update(bytes).digest('hex')}
  await writeFile(dir.join('old-packages', largeKey), bytes)
  await writeFile(dir.join('old-packages', `${largeKey}.meta`), JSON.stringify(meta))
  for (const name of ['old', 'new']) await writeFile(dir.join(`${name}.ini`), sqlConfig(name))
  await writeFile(dir.join('cloud.ini'), cloudConfig)
  return dir
}

for (const [title, needed, start, isLatePart] of [
  ['Azure', 'azurite', azureCloud, ({path}: SeenRequest) => path.includes('comp=blocklist')],
  [
    'Google Cloud Storage',
    'fake-gcs-server',
    gcsCloud,
    ({method, headers}: SeenRequest) =>
      method === 'PUT' && /bytes [1-9]/.test(String(headers['content-range'])),
  ],
] as const) {
  describe(`ppc-migrate to ${title} that is killed`, needs(needed), () => {
    let cloud: Cloud
    before(async () => {
      cloud = await start()
    })
    after(() => cloud[Symbol.asyncDispose]())

    it('leaves nothing of an upload in whose middle it was killed', async () => {
      await using dir = await installation(cloud.config('killed'))
      const args = [binPath('ppc-migrate'), 'old.ini', 'cloud.ini', '--only', 'large']
      const isInTheMiddle = new Promise<void>(resolve => {
        const when = (request: SeenRequest) => isLatePart(request) && (resolve(), true)
        cloud.proxy.faults = [{when, fault: {kind: 'hang'}}]
      })
      const child = spawn(process.execPath, args, {cwd: dir.path, stdio: 'ignore'})
      const ended = once(child, 'exit')
      await Promise.race([isInTheMiddle, ended])
      assert.equal(child.exitCode, null)
      child.kill('SIGKILL')
      await ended
      cloud.proxy.faults = []
      await using store = await cloud.open('killed')
      for await (const {key} of store.list('')) assert.fail(key)
      for (const ends of ['old.ini cloud.ini', 'cloud.ini new.ini']) {
        const {stdout} = await tool(dir.path, `ppc-migrate ${ends} --json`)
        assert.equal((JSON.parse(stdout) as MigrateReport).copied, files, stdout)
      }
      assert.equal(await allDigestsAreRight(dir.join('new-packages')), files)
    })
  })
}
