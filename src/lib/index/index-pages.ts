import type {Cache} from '../cache/cache.js'
import {Completion} from './completion.js'
import type {PackageIndex} from './package-index.js'
import {PageCache, type Page} from './page-cache.js'
import {addressBelow} from './pages/markup.js'
import {projectDetail, type ProjectDetail} from './pages/project-detail.js'
import {isJson, renderProject, type PageType} from './pages/project-page.js'
import {renderListHtml, renderListJson} from './pages/project-list.js'

export type {Encoded, Page} from './page-cache.js'
export type {PageType} from './pages/project-page.js'

/** Where the reader of a page is. */
export interface PagePlace {
  /** The way from the page to the application's root: `../../` from /simple/x/, `../` from /x/. */
  readonly root: string
  /** The root as the reader sees it, with a slash at the end. Asked for only where a page needs it. */
  readonly address: () => string
}

/** The pages of the simple API, as bytes that are made once for each change. */
export class IndexPages {
  readonly #index: PackageIndex
  readonly #cache: Cache
  readonly #pages: PageCache
  readonly #completion: Completion

  /** @param options `capacity`: bytes of pages that are kept. */
  constructor(parts: {index: PackageIndex; cache: Cache}, options: {capacity?: number} = {}) {
    this.#index = parts.index
    this.#cache = parts.cache
    this.#pages = new PageCache(options.capacity)
    this.#completion = new Completion(parts.index, parts.cache)
  }

  /**
   * @param project normalised.
   * @returns undefined when the index has no file of it. No promise on a hit.
   */
  project(project: string, type: PageType, place: PagePlace): Page | undefined | Promise<Page | undefined> {
    this.#index.projectNotes.poll()
    const token = this.#cache.changeToken(project)
    if (typeof token === 'string') return this.#project(project, type, place, token)
    return token.then(known => this.#project(project, type, place, known))
  }

  /**
   * What all pages of a project are made of.
   * @param root relative, as `PagePlace.root`, or absolute.
   * @param address absolute, where `root` is not and a reader gets to see where attestations are.
   */
  async detail(project: string, root: string, address = root): Promise<ProjectDetail | undefined> {
    const files = await this.#index.wholeness.whole(() => this.#cache.listFiles(project))
    if (files.length === 0) return undefined
    this.#completion.start(project, files)
    const {links, projectNotes} = this.#index
    const addressHere = addressBelow(root)
    const [facts, addressOf] = await Promise.all([
      projectNotes.of(project),
      links.leadHere ? addressHere : links.addressesOf(files, root),
    ])
    return projectDetail(project, files, {facts, addressOf, addressHere, attestedBelow: address})
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
  settled(): Promise<void> {
    return this.#completion.settled()
  }

  #project(project: string, type: PageType, {root, address}: PagePlace, token: string) {
    const made = `${token} ${this.#index.projectNotes.version}${this.#index.links.age()}`
    return this.#pages.getAt(`project ${type} ${root} ${project}`, made, address, async here =>
      renderProject(await this.detail(project, root, here), type, here),
    )
  }
}
