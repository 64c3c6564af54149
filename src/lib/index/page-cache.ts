import {createHash} from 'node:crypto'
import {promisify} from 'node:util'
import {gzip as gzipWithCallback} from 'node:zlib'
import {LRUCache} from 'lru-cache'

const gzip = promisify(gzipWithCallback)
/** Bytes. Smaller pages fit into a packet or two as they are. */
const worthCompressing = 1400
/** Bytes. Whoever asks first for a larger page gets it as it is: to compress it takes longer than to make it. */
const quicklyCompressed = 128 * 1024
/** Milliseconds, in which the answer that a large page was made for gets away. */
const compressedAfter = 100
/** Bytes. With its headers it fits into the buffer on the stack that Node copies text to. */
const sentAsText = 15 * 1024
/** Bytes. */
const defaultCapacity = 24 * 1024 * 1024

export interface Encoded {
  readonly body: Buffer
  /** Strong, with its quotes: one for each encoding, since a proxy's weak one would switch clients' caches off. */
  readonly etag: string
  /** The same bytes as text of one byte a character, where they are few: together with its headers that is one piece. */
  readonly latin1?: string
}
/** A page as it is sent. */
export interface Page extends Encoded {
  /** Absent for small pages, and for large ones in their first moments. */
  readonly gzip?: Encoded
}

/** What is rendered in place of a page that is another one for each address of the server. */
export const perAddress = Symbol('a page for each address')
export type Rendered = Text | typeof perAddress | undefined
/** Or its bytes, which nobody changes any more. */
type Text = string | Buffer
type Kept = Page | typeof perAddress | undefined

interface Entry {
  /** For what the page was made. */
  readonly token: string
  /** Undefined: there is no such page. */
  readonly page: Kept
}

/** Rendered pages, for as long as the token that belongs to their content stays the same. Bounded in bytes. */
export class PageCache {
  readonly #entries: LRUCache<string, Entry>
  readonly #rendering = new Map<string, Promise<Kept>>()

  constructor(capacity = defaultCapacity) {
    this.#entries = new LRUCache({
      maxSize: capacity,
      sizeCalculation: ({token, page}, key) => 500 + 2 * (key.length + token.length) + sizeOf(page),
    })
  }

  /**
   * The page kept under `key`, or else the one that `render` gives. No promise on a hit.
   * @param token read before anything that `render` reads.
   * @param render undefined: there is no such page, which is remembered too.
   */
  get(
    key: string,
    token: string,
    render: () => Text | undefined | Promise<Text | undefined>,
  ): Page | undefined | Promise<Page | undefined> {
    return this.#get(key, token, render) as Page | undefined | Promise<Page | undefined> // as it renders nothing else
  }

  /**
   * As `get`, for pages of which some say where the server is. Only those are kept once for each of its addresses: anybody
   * can invent a Host.
   * @param render without an address it gives `perAddress` for a page that needs one, with an address never.
   */
  getAt(
    key: string,
    token: string,
    address: () => string,
    render: (address?: string) => Promise<Rendered>,
  ): Page | undefined | Promise<Page | undefined> {
    const choose = (page: Kept) => {
      if (page !== perAddress) return page
      const here = address()
      return this.get(`${key} ${here}`, token, () => render(here) as Promise<Text | undefined>)
    }
    const kept = this.#get(key, token, () => render())
    return kept instanceof Promise ? kept.then(choose) : choose(kept)
  }

  #get(key: string, token: string, render: () => Rendered | Promise<Rendered>): Kept | Promise<Kept> {
    const entry = this.#entries.get(key)
    if (entry?.token === token) return entry.page
    const id = `${token}\n${key}`
    const running = this.#rendering.get(id)
    if (running) return running
    const rendering = this.#render(key, token, entry, render).finally(() => this.#rendering.delete(id))
    this.#rendering.set(id, rendering)
    return rendering
  }

  async #render(
    key: string,
    token: string,
    before: Entry | undefined,
    render: () => Rendered | Promise<Rendered>,
  ): Promise<Kept> {
    const rendered = await render()
    const known = before?.page === perAddress ? undefined : before?.page
    // Tokens change with every change of anything, pages seldom.
    const page =
      rendered === undefined || rendered === perAddress ? rendered : plainPage(key, rendered, known)
    if (typeof page !== 'object' || page.gzip || page.body.length < worthCompressing) {
      this.#entries.set(key, {token, page})
      return page
    }
    if (page.body.length <= quicklyCompressed) {
      const both = await compressed(page)
      this.#entries.set(key, {token, page: both})
      return both
    }
    this.#entries.set(key, {token, page})
    setTimeout(() => void this.#compress(key, page), compressedAfter).unref()
    return page
  }

  /** A page that has changed again by now is not worth it. */
  async #compress(key: string, page: Page): Promise<void> {
    if (this.#entries.peek(key)?.page !== page) return
    const both = await compressed(page)
    const now = this.#entries.peek(key)
    if (now?.page === page) this.#entries.set(key, {token: now.token, page: both})
  }
}

const sizeOf = (page: Kept): number =>
  typeof page === 'object' ? bytesOf(page) + (page.gzip ? bytesOf(page.gzip) : 0) : 0
const bytesOf = ({body, latin1}: Encoded): number => body.length + (latin1?.length ?? 0)

/** @param known if its text is the same, it stays. */
function plainPage(key: string, text: Text, known: Page | undefined): Page {
  const body = typeof text === 'string' ? Buffer.from(text) : text
  if (known?.body.equals(body)) return known
  // The key is in it: HTML under two content types has one text, but is not one representation.
  const digest = createHash('sha256').update(key).update('\0').update(body).digest('base64url').slice(0, 27)
  return encoded(body, `"${digest}"`)
}

async function compressed(page: Page): Promise<Page> {
  const etag = page.etag.replace(/"$/, '-gzip"')
  return {...page, gzip: encoded(await gzip(page.body, {level: 6}), etag)}
}

const encoded = (body: Buffer, etag: string): Encoded => ({
  body,
  etag,
  ...(body.length <= sentAsText && {latin1: body.toString('latin1')}),
})
