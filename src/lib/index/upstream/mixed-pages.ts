import type {Cache} from '../../cache/cache.js'
import type {IndexPages, PagePlace, PageType} from '../index-pages.js'
import type {LinksTo} from '../origin.js'
import type {PackageIndex} from '../package-index.js'
import {PageCache, type Page} from '../page-cache.js'
import {addressBelow, type AddressOf} from '../pages/markup.js'
import {orderOf} from '../pages/file-order.js'
import type {FileDetail, ProjectDetail} from '../pages/project-detail.js'
import {renderProject} from '../pages/project-page.js'
import {isQuarantined} from '../project-facts.js'
import type {FoundProject} from './projects.js'
import type {UpstreamFile, UpstreamProject} from './project.js'
import type {UpstreamIndex} from './upstream-index.js'

/** Bytes of pages that are kept. */
const capacity = 16 * 1024 * 1024

/** How old what the upstream said is, where it counts. */
export interface UpstreamAge {
  readonly ageSeconds: number
  readonly isStale: boolean
}

export interface MixedPagesParts {
  readonly upstream: UpstreamIndex
  readonly pages: IndexPages
  readonly index: PackageIndex
  readonly cache: Cache
  /** Called when the upstream fails and the page shows what is here alone. */
  readonly onFailure: (project: string, error: unknown) => void
}

/** Pages of projects with the upstream's files, and with those that are here. Of two files of one name, ours is shown. */
export class MixedPages {
  readonly #parts: MixedPagesParts
  readonly #pages = new PageCache(capacity)

  constructor(parts: MixedPagesParts) {
    this.#parts = parts
  }

  /**
   * @param project normalised.
   * @returns undefined when neither has it. @throws {UpstreamDown} @throws {UpstreamRefused} when nothing is here either.
   */
  async page(
    project: string,
    type: PageType,
    {root, address, links}: PagePlace & {readonly links: LinksTo},
  ): Promise<({readonly page: Page} & UpstreamAge) | undefined> {
    const {cache, index} = this.#parts
    const token = await cache.changeToken(project)
    const found = await this.#ask(project)
    const revision = `${index.projectNotes.version} ${index.links.age()} ${found.project?.revision ?? ''}`
    const page = await this.#pages.getAt(
      `${links} ${type} ${root} ${project}`,
      `${token} ${revision}`,
      address,
      async here =>
        renderProject(await this.#mix(project, {root, address: here, links}, found.project), type, here),
    )
    return page && {...found, page}
  }

  /** What all pages of a project are made of. @param root absolute. @returns and @throws as `page`. */
  async detail(
    project: string,
    {root, links}: {readonly root: string; readonly links: LinksTo},
  ): Promise<({readonly detail: ProjectDetail} & UpstreamAge) | undefined> {
    const found = await this.#ask(project)
    const detail = await this.#mix(project, {root, links}, found.project)
    return detail && {...found, detail}
  }

  async #ask(project: string): Promise<FoundProject> {
    const {upstream, cache, onFailure} = this.#parts
    try {
      return await upstream.find(project)
    } catch (error) {
      if ((await cache.listFiles(project)).length === 0) throw error
      onFailure(project, error)
      return {project: undefined, ageSeconds: 0, isStale: false}
    }
  }

  async #mix(
    name: string,
    {root, address, links}: {root: string; address?: string | undefined; links: LinksTo},
    upstream: UpstreamProject | undefined,
  ): Promise<ProjectDetail | undefined> {
    const local = await this.#parts.pages.detail(name, root, address)
    const facts = await this.#parts.index.projectNotes.of(name)
    if (isQuarantined(facts) || !upstream || upstream.files.length === 0) return local
    const here = addressBelow(root)
    const ours = new Map(local?.files.map(file => [file.filename, file]))
    const theirs = upstream.files
      .filter(({filename}) => !ours.has(filename))
      .map(file => detailOf(upstream, file, links === 'here' ? here : undefined))
    const files = [...withMarksOf(ours, upstream), ...theirs]
    const {byName, versions} = orderOf(files)
    return {name, status: facts.status, versions, files: byName}
  }
}

/** @param here undefined: clients go to the upstream, where no metadata is promised (RULES 36). */
function detailOf(project: UpstreamProject, file: UpstreamFile, here: AddressOf | undefined): FileDetail {
  const {filename, version, requiresPython, size, uploadTime, yanked, hashes} = file
  return {
    filename,
    version,
    url: here ? here({name: project.name, filename}) : file.url,
    sha256: hashes['sha256'],
    md5: hashes['md5'],
    requiresPython,
    summary: project.summary ?? null,
    size,
    uploadTime,
    yanked,
    coreMetadata: here && file.coreMetadata?.sha256,
    provenance: undefined,
  }
}

/** A yank of the upstream holds for its files wherever they are (PEP 592): those here that have the same bytes. */
function withMarksOf(ours: ReadonlyMap<string, FileDetail>, upstream: UpstreamProject): FileDetail[] {
  const yanks = new Map(
    upstream.files.flatMap(({filename, yanked, hashes}) =>
      yanked === undefined ? [] : [[filename, {yanked, sha256: hashes['sha256']}] as const],
    ),
  )
  return [...ours.values()].map(file => {
    const yank = yanks.get(file.filename)
    const isSame = yank !== undefined && yank.sha256 !== undefined && yank.sha256 === file.sha256
    return isSame && file.yanked === undefined ? {...file, yanked: yank.yanked} : file
  })
}
