import pLimit from 'p-limit'
import type {Cache} from '../cache/cache.js'
import type {DistFile} from '../packaging/dist-file.js'
import type {PackageIndex} from './package-index.js'
import {PageCache, type Page} from './page-cache.js'
import {renderListHtml, renderListJson} from './pages/project-list.js'
import {projectPage, renderProjectHtml, renderProjectJson, sizeOf} from './pages/project-page.js'

export type {Encoded, Page} from './page-cache.js'

/** Content types of the simple API: PEP 691 §Content-Types. */
export type PageType =
  'text/html' | 'application/vnd.pypi.simple.v1+html' | 'application/vnd.pypi.simple.v1+json'

const isJson = (type: PageType): boolean => type.endsWith('json')
/** Milliseconds until sizes that could not be completed are tried again. */
const retryAfter = 60_000

/** The pages of the simple API, as bytes that are made once for each change. */
export class IndexPages {
  readonly #index: PackageIndex
  readonly #cache: Cache
  readonly #pages: PageCache
  /** Projects whose sizes are being completed, or could not be: until when they are left alone. */
  readonly #completing = new Map<string, number>()
  readonly #work = new Set<Promise<void>>()

  /** @param options `capacity`: bytes of pages that are kept. */
  constructor(parts: {index: PackageIndex; cache: Cache}, options: {capacity?: number} = {}) {
    this.#index = parts.index
    this.#cache = parts.cache
    this.#pages = new PageCache(options.capacity)
  }

  /**
   * @param project normalised.
   * @param root the way from the page to the application's root: `../../` from /simple/x/, `../` from /x/.
   * @returns undefined when the index has no file of it. No promise on a hit.
   */
  project(project: string, type: PageType, root: string): Page | undefined | Promise<Page | undefined> {
    const token = this.#cache.changeToken(project)
    if (typeof token === 'string') return this.#project(project, type, root, token)
    return token.then(known => this.#project(project, type, root, known))
  }

  /**
   * The list of projects as one reader sees it.
   * @param reader a text that is the same for readers who see the same, e.g. their user name.
   * @param token of what decides about readers, e.g. the access policy's.
   * @param projects normalised names, in the order of the page.
   */
  list(
    reader: string,
    type: PageType,
    token: string,
    projects: () => readonly string[] | Promise<readonly string[]>,
  ): Page | Promise<Page> {
    const changes = this.#cache.changeToken()
    const get = (known: string) =>
      this.#pages.get(`list ${type} ${reader}`, `${known} ${token}`, async () => {
        const names = await projects()
        return isJson(type) ? renderListJson(names) : renderListHtml(names)
      }) as Page | Promise<Page> // rendered above whatever the names
    return typeof changes === 'string' ? get(changes) : changes.then(get)
  }

  /** Waits for what goes on behind the answers. */
  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.all([...this.#work])
  }

  #project(project: string, type: PageType, root: string, token: string) {
    const made = `${token}${this.#index.links.age()}`
    return this.#pages.get(`project ${type} ${root} ${project}`, made, async () => {
      const files = await this.#cache.listFiles(project)
      const page = projectPage(project, files)
      if (!page) return undefined
      this.#completeSizes(project, files)
      const addressOf = await this.#index.links.addressesOf(files, root)
      return isJson(type) ? renderProjectJson(page, addressOf) : renderProjectHtml(page, addressOf)
    })
  }

  /** Rows that pypicloud wrote have no size: each is looked up once and kept (PEP 700 demands them). */
  #completeSizes(project: string, files: readonly DistFile[]): void {
    const incomplete = files.filter(file => sizeOf(file) === undefined)
    if (incomplete.length === 0) return
    if ((this.#completing.get(project) ?? 0) > performance.now()) return
    if (this.#completing.size > 10_000) this.#completing.clear()
    this.#completing.set(project, Infinity)
    const work = this.#saveSizes(incomplete)
      .catch(() => false) // the page was answered without them; a later one tries again
      .then(done => {
        if (done) this.#completing.delete(project)
        else this.#completing.set(project, performance.now() + retryAfter)
        this.#work.delete(work)
      })
    this.#work.add(work)
  }

  /** @returns false when one could not be looked up. */
  async #saveSizes(files: readonly DistFile[]): Promise<boolean> {
    const limit = pLimit(16)
    const completed = await Promise.all(
      files.map(file =>
        limit(async () => {
          const found = await this.#index.statFile(file).catch(() => undefined)
          return found ? [{...file, data: {...file.data, size: found.size}}] : []
        }),
      ),
    )
    const found = completed.flat()
    await this.#cache.save(found, {seen: new Map(files.map(file => [file.filename, file]))})
    return found.length === files.length
  }
}
