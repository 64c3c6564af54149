import {InvalidInput} from '../errors.js'
import pLimit from 'p-limit'
import type {DistFile} from '../packaging/dist-file.js'
import type {PackageStorage} from '../storage/package-storage.js'
import {addressBelow, type AddressOf} from './pages/markup.js'

/** Seconds that links live where `storage.expire_after` does not say: a redirect is followed at once, a page is kept. */
const redirectLifetime = 15 * 60
const pageLifetime = 24 * 3600
/** Pages are made anew after this part of the lifetime, so that their links are good for the rest of it at least. */
const pageShare = 1 / 4

/** Where clients fetch files: at this server, or, by links that the storage gives, at the storage itself. */
export class FileLinks {
  constructor(private readonly storage: PackageStorage) {}

  /** Whether a client can be sent to the storage. */
  get canRedirect(): boolean {
    return this.storage.store.links !== undefined
  }

  /** Whether pages link to this server, and not to the storage. */
  get leadHere(): boolean {
    return !this.storage.store.links?.inPages
  }

  /** For one download. Only where `canRedirect`. */
  async redirectTo(file: DistFile): Promise<URL | undefined> {
    return this.storage.link(file, this.storage.store.links?.expireAfterSeconds ?? redirectLifetime)
  }

  /**
   * For pages: at the storage with `storage.redirect_urls = false`, else here. Core metadata (PEP 658) may be promised
   * only for addresses here: the storage has no such objects.
   * @param root see `addressBelow`.
   * @throws {Unavailable} when links can't be signed now.
   */
  async addressesOf(files: readonly DistFile[], root: string): Promise<AddressOf> {
    const here = addressBelow(root)
    if (this.leadHere) return here
    const limit = pLimit(64)
    const links = new Map<string, string>()
    await Promise.all(
      files.map(file =>
        limit(async () => {
          const link = await this.#pageLink(file)
          if (link) links.set(file.filename, link.href)
        }),
      ),
    )
    return file => links.get(file.filename) ?? here(file)
  }

  /**
   * Belongs to the token of a page with links: differs when they have aged too much to be served any longer. Empty
   * where pages have no such links.
   */
  age(): string {
    if (this.leadHere) return ''
    const keepSeconds = Math.max(1, this.#pageSeconds * pageShare)
    return ` ${Math.floor(Date.now() / 1000 / keepSeconds)}`
  }

  get #pageSeconds(): number {
    return this.storage.store.links?.expireAfterSeconds ?? pageLifetime
  }

  /** Undefined for a row whose names lead nowhere in the storage: asking here for it is answered as it should be. */
  async #pageLink(file: DistFile): Promise<URL | undefined> {
    try {
      return await this.storage.link(file, this.#pageSeconds)
    } catch (error) {
      if (error instanceof InvalidInput) return undefined
      throw error
    }
  }
}
