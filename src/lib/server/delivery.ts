import pLimit from 'p-limit'
import {streamsFiles} from '../config/derived.js'
import type {DistFile} from '../packaging/dist-file.js'
import {tracked, type Context} from './context.js'
import {redirect} from './http/errors.js'
import {growingLru} from '../growing-lru.js'

/** Milliseconds for which a file that was found in the storage is taken to be there. */
const believedFor = 5 * 60_000
/** Requests to the storage at one time, and those that may wait: beyond, a file is looked for another time. */
const atOnce = 4
const mostWaiting = 100

/**
 * Sends clients to the storage, where it has links and the config does not say to stream. The object itself is not
 * looked at before: that would cost what the redirect saves. It is looked at afterwards, now and then, so that the
 * second client at the latest hears of a file that is lost (RULES 22).
 */
export class Redirects {
  readonly #context: Context
  readonly #isOn: boolean
  readonly #seen = growingLru<true>(10_000, {ttl: believedFor})
  readonly #limit = pLimit(atOnce)

  constructor(context: Context) {
    this.#context = context
    this.#isOn = context.index.links.canRedirect && !streamsFiles(context.config)
  }

  /** Returns where the file is sent from here. @throws the redirect, or {Unavailable} when links can't be signed now. */
  async follow(file: DistFile): Promise<void> {
    if (!this.#isOn) return
    const url = await this.#context.index.links.redirectTo(file)
    if (!url) return
    this.#lookLater(file)
    throw redirect(url.href)
  }

  #lookLater(file: DistFile): void {
    if (this.#seen.has(file.filename) || this.#limit.pendingCount >= mostWaiting) return
    this.#seen.set(file.filename, true)
    const looking = this.#limit(() => this.#context.index.statFile(file))
    // Whoever asks next is told what is wrong.
    tracked(this.#context, () => looking).catch(() => this.#seen.delete(file.filename))
  }
}
