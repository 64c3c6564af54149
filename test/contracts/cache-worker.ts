import type {Cache} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'

/** What another process does to the cache under test. */
export type CacheJob =
  | {readonly do: 'save'; readonly files: readonly Omit<DistFile, 'lastModified'>[]; readonly times: number}
  | {readonly do: 'hold-lock'; readonly name: string; readonly expireAfterSeconds: number}

/** Run as `fork(worker, [module, argument, job])`: `module` exports `open(argument)`. Tells its parent when it is done. */
async function work(module: string, argument: string, job: CacheJob): Promise<void> {
  const {open} = (await import(module)) as {open: (argument: string) => Promise<Cache>}
  await using cache = await open(argument)
  if (job.do === 'hold-lock') {
    await cache.acquireLock(job.name, {owner: 'another process', expireAfterSeconds: job.expireAfterSeconds})
    process.send?.('held')
    await new Promise(() => setInterval(() => undefined, 1000)) // until it is killed
    return
  }
  for (let time = 0; time < job.times; time += 1) {
    for (const file of job.files) {
      await cache.save([{...file, lastModified: new Date(), data: {...file.data, round: time + 1}}])
    }
  }
  process.send?.('done')
}

const [, , module, argument, job] = process.argv
if (process.send && module !== undefined && argument !== undefined && job !== undefined) {
  await work(module, argument, JSON.parse(job) as CacheJob)
}
