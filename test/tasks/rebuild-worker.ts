/** Another process on the same storage and cache: `rebuild-worker JOB`, see `WorkerJob`. Tells its parent how it gets on. */
import {Readable} from 'node:stream'
import {openBackends} from '../../src/lib/backends.js'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {hashStream} from '../../src/lib/packaging/hashes.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {buildSdist} from '../support/wheels.js'
import {readTestConfig} from './rebuild-places.js'

export type WorkerJob =
  /** Until it is killed. */
  | {readonly do: 'rebuild'; readonly config: string; readonly full: boolean}
  /** As a server would. Half of what it uploads it deletes again, and half of the rest it replaces. */
  | {readonly do: 'publish'; readonly config: string; readonly project: string; readonly files: number}

async function work(job: WorkerJob): Promise<void> {
  const config = await readTestConfig(job.config)
  await using backends = await openBackends(config, ['storage', 'cache'])
  process.send?.('ready')
  if (job.do === 'rebuild') {
    const parts = {storage: new PackageStorage(backends.storage), cache: backends.cache}
    for (;;) await rebuildCache(parts, {owner: 'the worker', full: job.full, expireAfterSeconds: 1})
  }
  const index = new PackageIndex({...backends, config})
  const publish = async (version: string, summary: string) => {
    const {filename, bytes} = await buildSdist({name: job.project, version, summary})
    const open = () => Readable.from([bytes])
    const digests = await hashStream(open())
    await index.publish({filename, body: {size: bytes.length, open}, digests}, {overwrite: true})
  }
  for (let version = 0; version < job.files; version += 1) {
    await publish(String(version), 'first')
    if (version % 4 === 0) await publish(String(version), 'replaced')
    if (version % 2 === 1) {
      const [file] = (await index.listFiles(job.project)).filter(({version: one}) => one === String(version))
      if (file) await index.remove(file)
    }
  }
  process.send?.('done')
}

const [, , job] = process.argv
if (process.send && job !== undefined) {
  await work(JSON.parse(job) as WorkerJob)
  process.disconnect()
}
