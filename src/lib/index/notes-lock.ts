import {randomUUID} from 'node:crypto'
import {readFileSync, readlinkSync} from 'node:fs'
import {hostname} from 'node:os'
import {setTimeout as sleep} from 'node:timers/promises'
import {LockHeld, LockLost} from '../errors.js'
import type {ObjectStore} from '../storage/storage.js'
import {Notes} from './notes.js'

/** What the notes say of a lock. Nothing in it is compared with another machine's clock. */
interface HeldLock {
  /** Command, host and process, for those who come second. */
  readonly owner: string
  /** Where process ids mean the same as here: host, boot and process namespace. */
  readonly place: string
  readonly pid: number
  readonly token: string
  /** Counts up while the holder lives. */
  readonly beat: number
}

export interface NotesLock extends AsyncDisposable {
  /** Aborted when somebody else has the lock: stop at once. */
  readonly signal: AbortSignal
  /** Before each step that can't be undone. A process that slept asks first who holds the lock now. @throws {LockLost} */
  check(): Promise<void>
}

export interface NotesLockTimes {
  readonly beatMs: number
  /** Without a beat for this long, by the observer's own monotonic clock, a holder counts as dead. */
  readonly deadAfterMs: number
  readonly pollMs: number
}
const usualTimes: NotesLockTimes = {beatMs: 3000, deadAfterMs: 30_000, pollMs: 1000}

/** Locks that this process holds. */
const held = new Set<string>()

/**
 * Takes the lock `name` of a store, which keeps it in its notes. Waits until it is certain whether a holder lives:
 * a dead process of this host is known at once, another holder by its beat.
 * @returns undefined where the store keeps no notes. @throws {LockHeld} naming the holder.
 */
export async function acquireNotesLock(
  store: Pick<ObjectStore, 'name' | 'notes'>,
  name: string,
  options: {
    readonly owner: string
    readonly signal?: AbortSignal | undefined
    readonly times?: NotesLockTimes
  },
): Promise<NotesLock | undefined> {
  if (store.notes === undefined) return undefined
  const times = options.times ?? usualTimes
  const notes = new Notes(store)
  const mine: HeldLock = {
    owner: options.owner,
    place: placeOfProcesses(),
    pid: process.pid,
    token: randomUUID(),
    beat: 0,
  }
  let watched: {readonly id: string; readonly since: number; readonly token: string} | undefined
  for (;;) {
    const now = performance.now()
    const found = await takeOver(notes, name, mine, other => {
      const isSilent = watched?.id === idOf(other) && now - watched.since >= times.deadAfterMs
      return isSilent || isDead(other)
    })
    if (found === undefined) return new Held(store, name, mine, times)
    if (watched?.id !== idOf(found)) {
      if (watched?.token === found.token || held.has(found.token)) throw heldBy(found, store, name)
      watched = {id: idOf(found), since: now, token: found.token}
    }
    await sleep(times.pollMs, undefined, {signal: options.signal})
  }
}

/** Notes `mine` unless somebody holds the lock who may be alive. @returns that one. */
async function takeOver(
  notes: Notes,
  name: string,
  mine: HeldLock,
  isLost: (other: HeldLock) => boolean,
): Promise<HeldLock | undefined> {
  let other: HeldLock | undefined
  held.add(mine.token) // before anybody can read it
  try {
    await notes.changeLock(name, noted => {
      const found = parseLock(noted)
      other = found && !isLost(found) ? found : undefined
      return other === undefined ? mine : noted
    })
  } catch (error) {
    held.delete(mine.token)
    throw error
  }
  if (other !== undefined) held.delete(mine.token)
  return other
}

class Held implements NotesLock {
  readonly #controller = new AbortController()
  readonly #notes: Notes
  readonly #timer: NodeJS.Timeout
  #lastBeat = performance.now()
  #beating: Promise<void> | undefined

  constructor(
    private readonly store: Pick<ObjectStore, 'name' | 'notes'>,
    private readonly name: string,
    private mine: HeldLock,
    private readonly times: NotesLockTimes,
  ) {
    this.#notes = new Notes(store)
    this.#timer = setInterval(() => void this.#beat().catch(() => undefined), times.beatMs)
    this.#timer.unref()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  async check(): Promise<void> {
    this.signal.throwIfAborted()
    if (performance.now() - this.#lastBeat > this.times.deadAfterMs / 2) await this.#beat()
    this.signal.throwIfAborted()
  }

  /** @throws when the notes can't be written now. */
  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => (this.#beating = undefined))
    return this.#beating
  }

  async #beatOnce(): Promise<void> {
    const asked = performance.now()
    const next = {...this.mine, beat: this.mine.beat + 1}
    // A beat whose answer was lost may have arrived: the token alone tells.
    if (await replaceOwn(this.#notes, this.name, this.mine, next)) {
      this.mine = next
      this.#lastBeat = asked
      return
    }
    this.#controller.abort(
      new LockLost(`another process has taken the lock "${this.name}" of ${this.store.name}: stopped`),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#beating?.catch(() => undefined)
    held.delete(this.mine.token)
    await replaceOwn(this.#notes, this.name, this.mine, undefined).catch(() => undefined) // then it is found dead
  }
}

/** Notes `next` in the place of one's own lock. @returns false when what is noted is somebody else's by now. */
async function replaceOwn(
  notes: Notes,
  name: string,
  {token}: HeldLock,
  next: HeldLock | undefined,
): Promise<boolean> {
  let isOwn = false
  await notes.changeLock(name, noted => {
    isOwn = parseLock(noted)?.token === token
    return isOwn ? next : noted
  })
  return isOwn
}

const idOf = ({token, beat}: HeldLock): string => `${token} ${beat}`

const heldBy = ({owner}: HeldLock, store: Pick<ObjectStore, 'name'>, name: string) =>
  new LockHeld(`${store.name} is locked ("${name}") by ${owner}`, {hint: 'Wait until it is done.'})

/** That its process is gone can only be told where process ids mean the same. */
function isDead({place, pid, token}: HeldLock): boolean {
  if (place !== placeOfProcesses() || held.has(token)) return false
  if (pid === process.pid) return true // the id has come round
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

/** Two containers can have one host name; on Linux the kernel tells them apart. */
function placeOfProcesses(): string {
  const parts = [
    () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    () => readlinkSync('/proc/self/ns/pid'),
  ]
  const known = parts.map(read => {
    try {
      return read()
    } catch {
      return ''
    }
  })
  return [hostname(), ...known].join(' ')
}

/** Undefined for nothing, and for what is no lock: it would hold for ever. */
function parseLock(noted: unknown): HeldLock | undefined {
  if (typeof noted !== 'object' || noted === null) return undefined
  const {owner, place, pid, token, beat} = noted as Partial<Record<keyof HeldLock, unknown>>
  if (typeof token !== 'string' || typeof beat !== 'number') return undefined
  return {
    owner: typeof owner === 'string' ? owner : 'an unknown process',
    place: typeof place === 'string' ? place : '',
    pid: typeof pid === 'number' ? pid : 0,
    token,
    beat,
  }
}
