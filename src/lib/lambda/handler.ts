import type {Cache} from '../cache/cache.js'
import type {Config} from '../config/config.js'
import {s3StorageFields} from '../config/schema/storage.js'
import {UsageError} from '../errors.js'
import {PackageStorage} from '../storage/package-storage.js'
import {openS3Store} from '../storage/s3/s3.js'
import {isRecord, readEvent, readText} from '../tasks/sync/events.js'
import {
  mustComeAgain,
  syncMessages,
  type Message,
  type Report,
  type SyncTarget,
} from '../tasks/sync/messages.js'
import {ObjectSync} from '../tasks/sync/object-sync.js'
import {cacheKindOf, type CacheKind} from './cache-kind.js'
import {SyncLog} from '../tasks/sync/log.js'
import {readLambdaConfig} from './settings.js'

/** With less time left, in milliseconds, nothing new is begun. */
const reserveMs = 3000

/** What is used of what AWS passes. */
export interface LambdaContext {
  readonly awsRequestId?: string
  getRemainingTimeInMillis?(): number
}
/** The partial response of a queue, or how often what happened. */
export type LambdaResult =
  {readonly batchItemFailures: readonly {itemIdentifier: string}[]} | Readonly<Record<string, number>>

/** Some objects could not be brought in step: AWS sends the event again. */
class SyncFailed extends Error {
  override readonly name = 'SyncFailed'
}

/**
 * A handler that keeps its connections from one event to the next.
 * @param kind which cache this is the bundle of.
 */
export function lambdaHandler(kind: CacheKind, openCache: (config: Config) => Promise<Cache>) {
  let opened: Promise<SyncTarget & AsyncDisposable> | undefined
  const open = async (bucket: string) => {
    opened ??= openTarget(kind, openCache, bucket)
    return opened
  }
  /** Credentials may have been changed, servers replaced: the next event begins anew. */
  const close = async () => {
    const closing = opened
    opened = undefined
    await closing?.then(target => target[Symbol.asyncDispose]()).catch(() => undefined)
  }
  return async (event: unknown, context: LambdaContext = {}): Promise<LambdaResult> => {
    const log = new SyncLog(process.stdout, context.awsRequestId)
    const messages = messagesOf(event)
    const counts: Partial<Record<Report['outcome'], number>> = {}
    let firstReason: string | undefined
    const again = await syncMessages(open, messages, {
      isLate: () => (context.getRemainingTimeInMillis?.() ?? Infinity) < reserveMs,
      onReport: report => {
        log.report(report)
        counts[report.outcome] = (counts[report.outcome] ?? 0) + 1
        if (mustComeAgain.has(report.outcome)) firstReason ??= report.reason
      },
    })
    if (counts.failed !== undefined) await close()
    if (messages.some(({id}) => id !== undefined)) {
      return {batchItemFailures: again.flatMap(({id}) => (id === undefined ? [] : [{itemIdentifier: id}]))}
    }
    if (again.length > 0) throw new SyncFailed(firstReason ?? 'the event could not be worked off')
    return counts
  }
}

/** Of a queue each record by itself, else the whole event. */
function messagesOf(event: unknown): Message[] {
  const records = isRecord(event) && Array.isArray(event['Records']) ? (event['Records'] as unknown[]) : []
  const queued = records.flatMap(record =>
    isRecord(record) && record['eventSource'] === 'aws:sqs' && typeof record['messageId'] === 'string'
      ? [{id: record['messageId'], sightings: readText(record['body'])}]
      : [],
  )
  return queued.length > 0 ? queued : [{sightings: readEvent(event)}]
}

async function openTarget(
  kind: CacheKind,
  openCache: (config: Config) => Promise<Cache>,
  bucketOfEvent: string,
): Promise<SyncTarget & AsyncDisposable> {
  const config = await readLambdaConfig(process.env, bucketOfEvent)
  const wanted = cacheKindOf(config)
  if (wanted !== kind) {
    throw new UsageError(`this bundle feeds ${kind}, and ${config.file} names ${wanted}: build it again`)
  }
  const [store, cache] = await bothOrNone(openS3Store(config), openCache(config))
  return {
    sync: new ObjectSync({storage: new PackageStorage(store), cache}),
    bucket: config.read(s3StorageFields).bucket,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([store[Symbol.asyncDispose](), cache[Symbol.asyncDispose]()])
    },
  }
}

/** Opened at the same time, which a cold start is glad of. */
async function bothOrNone<A extends AsyncDisposable, B extends AsyncDisposable>(
  a: Promise<A>,
  b: Promise<B>,
): Promise<[A, B]> {
  const [one, two] = await Promise.allSettled([a, b])
  if (one.status === 'fulfilled' && two.status === 'fulfilled') return [one.value, two.value]
  for (const each of [one, two]) if (each.status === 'fulfilled') await each.value[Symbol.asyncDispose]()
  throw one.status === 'rejected' ? one.reason : (two as PromiseRejectedResult).reason
}
