import {setTimeout as sleep} from 'node:timers/promises'
import pLimit from 'p-limit'
import {PpcError, Unavailable} from '../../errors.js'
import type {Sighting} from './events.js'
import type {ObjectSync, SyncStep} from './object-sync.js'

const objectsAtOnce = 16
/** A connection that was cut while the process was frozen is there again by then. */
const pauseMs = 300

/** What came together, and is confirmed or comes again as a whole. */
export interface Message {
  /** Undefined for what can't be confirmed by itself. */
  readonly id?: string
  readonly sightings: readonly Sighting[]
}

/** What became of one thing that was heard. */
export interface Report {
  readonly outcome: SyncStep['kind'] | 'other' | 'unreadable' | 'failed' | 'postponed'
  readonly key?: string
  readonly bucket?: string
  readonly event?: string
  readonly file?: string
  readonly project?: string
  readonly sealed?: boolean
  /** One sentence, or its end. */
  readonly reason?: string
}

export interface SyncTarget {
  readonly sync: ObjectSync
  /** Whose events count. */
  readonly bucket: string
}
/** Opens it the first time that it is needed. @param bucket of the event. */
export type OpenTarget = (bucket: string) => Promise<SyncTarget>

export interface MessageOptions {
  /** Once it says true nothing new is begun: what is left is reported as `postponed`. */
  readonly isLate?: () => boolean
  readonly onReport?: (report: Report) => void
}

/**
 * Brings every object of `messages` in step; one that several name is looked at once. None keeps the others from being done.
 * @returns the messages that have to come again.
 */
export async function syncMessages(
  open: OpenTarget,
  messages: readonly Message[],
  {isLate = () => false, onReport}: MessageOptions = {},
): Promise<Message[]> {
  const limit = pLimit(objectsAtOnce)
  const known = new Map<string, Promise<Report>>()
  const take = async (sighting: Sighting): Promise<Report> => {
    if (sighting.kind !== 'object') return {outcome: sighting.kind, reason: sighting.reason}
    const {bucket, key, event} = sighting
    const place = `${bucket}/${key}` // names of buckets have no slash
    let report = known.get(place)
    if (report === undefined) {
      report = limit(() => (isLate() ? postponed : bringKey(open, bucket, key)))
      known.set(place, report)
    }
    return {key, event, ...(await report)}
  }
  const taken = messages.map(async message => {
    const reports = await Promise.all(message.sightings.map(take))
    for (const report of reports) onReport?.(report)
    return reports.some(({outcome}) => mustComeAgain.has(outcome)) ? [message] : []
  })
  return (await Promise.all(taken)).flat()
}

/** What is unreadable comes again too: that is how it gets where somebody looks, the queue for what failed. */
export const mustComeAgain: ReadonlySet<Report['outcome']> = new Set(['failed', 'postponed', 'unreadable'])
const postponed: Report = {outcome: 'postponed', reason: 'there was no time left'}

async function bringKey(open: OpenTarget, bucket: string, key: string): Promise<Report> {
  try {
    const target = await open(bucket)
    if (target.bucket !== bucket) return {outcome: 'ignored', bucket, reason: 'is in another bucket'}
    const bring = () => target.sync.bring(key)
    return describe(await bring().catch((error: unknown) => onceMore(error, bring)))
  } catch (error) {
    if (error instanceof PpcError) return {outcome: 'failed', reason: error.message}
    return {
      outcome: 'failed',
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }
  }
}

async function onceMore<T>(error: unknown, work: () => Promise<T>): Promise<T> {
  if (!(error instanceof Unavailable)) throw error
  await sleep(pauseMs)
  return work()
}

function describe(step: SyncStep): Report {
  if (step.kind === 'ignored') return {outcome: 'ignored', reason: step.reason}
  if (step.kind === 'unchanged') return {outcome: 'unchanged'}
  const {filename, name} = step.file
  return {outcome: step.kind, file: filename, project: name, ...(step.sealed && {sealed: true})}
}
