import {LRUCache} from 'lru-cache'
import type {Config} from '../../config/config.js'
import {fallbackMode, upstreamOf} from '../../config/derived.js'
import {UpstreamConnection} from './connection.js'
import {fetchMetadata} from './metadata.js'
import {downloadFile, type Downloaded, type DownloadOptions} from './download.js'
import type {UpstreamFile, UpstreamProject} from './project.js'
import {UpstreamProjects, type FoundProject} from './projects.js'
import type {UpstreamWatch} from './watch.js'

/** Bytes. */
const metadataKept = 8 * 1024 * 1024
const day = 24 * 3600 * 1000

export interface UpstreamOptions {
  /** Called when something is worth a line in the log, and the request goes on. */
  readonly warn?: (details: Readonly<Record<string, unknown>>, message: string) => void
  readonly watch?: UpstreamWatch | undefined
}

/**
 * The upstream index that the config names: what it has of a project, and its files. Whether it may be asked about a name
 * is the business of `OriginPolicy`: nothing here knows which names are private.
 */
export class UpstreamIndex implements AsyncDisposable {
  readonly #connection: UpstreamConnection
  readonly #projects: UpstreamProjects
  /** By digest: what they are when they have it. */
  readonly #metadata = new LRUCache<string, Buffer>({
    maxSize: metadataKept,
    sizeCalculation: bytes => bytes.length + 500,
  })
  /** Milliseconds that a file must be old. */
  readonly #minimumAge: number
  readonly #oldEnough = new WeakMap<
    UpstreamProject,
    {readonly until: number; readonly project: UpstreamProject}
  >()

  constructor({core}: Pick<Config, 'core'>, {warn, watch}: UpstreamOptions = {}) {
    const {baseUrl, simpleUrl, useJson, credentials} = upstreamOf(core)
    const isChosen = core.fallbackBaseUrl !== undefined || core.fallbackUrl !== undefined
    this.#connection = new UpstreamConnection({
      own: isChosen || credentials ? new URL(baseUrl ?? simpleUrl) : undefined,
      allowed: core.upstreamAllowPrivate,
      credentials,
      timeoutSeconds: core.upstreamTimeout,
      watch,
    })
    this.#projects = new UpstreamProjects({
      connection: this.#connection,
      watch,
      simpleUrl,
      legacyUrl: useJson && baseUrl !== undefined ? `${baseUrl}/pypi` : undefined,
      onStale: (project, error, ageSeconds) =>
        warn?.({project, reason: error.message, ageSeconds}, 'the upstream fails: an older page stands in'),
    })
    this.#minimumAge = core.upstreamAge * day
  }

  /** Undefined where the config asks for no upstream pages: `redirect` alone sends clients there unseen. */
  static forConfig(config: Pick<Config, 'core'>, options: UpstreamOptions = {}): UpstreamIndex | undefined {
    const {mode, alwaysShowUpstream} = fallbackMode(config.core)
    const asks = mode === 'cache' || (mode === 'redirect' && alwaysShowUpstream)
    return asks ? new UpstreamIndex(config, options) : undefined
  }

  /** @param name normalised. @throws {UpstreamDown} @throws {UpstreamRefused} */
  async find(name: string): Promise<FoundProject> {
    const found = await this.#projects.find(name)
    if (!found.project || this.#minimumAge === 0) return found
    const project = this.#withoutYoung(found.project)
    return {...found, project: project.files.length > 0 ? project : undefined}
  }

  /** The project and its file of that name. @throws as `find`. */
  async findFile(
    name: string,
    filename: string,
  ): Promise<{readonly project: UpstreamProject; readonly file: UpstreamFile} | undefined> {
    const {project} = await this.find(name)
    const file = project?.files.find(candidate => candidate.filename === filename)
    return project && file && {project, file}
  }

  /** The whole file, its digest checked. @throws {UpstreamDown} @throws {UpstreamRefused} @throws {StorageFailed} */
  download(file: UpstreamFile, options: DownloadOptions): Promise<Downloaded> {
    return downloadFile(this.#connection, file, options)
  }

  /** Its core metadata (PEP 658). Undefined where the upstream has none. @throws as `download`. */
  async metadata(file: UpstreamFile): Promise<Buffer | undefined> {
    const key = file.coreMetadata?.sha256
    const known = key === undefined ? undefined : this.#metadata.get(key)
    if (known) return known
    const bytes = await fetchMetadata(this.#connection, file)
    if (key !== undefined && bytes) this.#metadata.set(key, bytes)
    return bytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  /** `pypi.upstream_age`. What does not tell its age is taken for young. */
  #withoutYoung(project: UpstreamProject): UpstreamProject {
    const now = Date.now()
    const known = this.#oldEnough.get(project)
    if (known && known.until > now) return known.project
    let until = Infinity
    const files = project.files.filter(({uploadTime}) => {
      const ripe = Date.parse(uploadTime ?? '') + this.#minimumAge
      if (ripe > now) until = Math.min(until, ripe)
      return ripe <= now
    })
    const older = {...project, files, revision: `${project.revision}-${files.length}`}
    this.#oldEnough.set(project, {until, project: older})
    return older
  }
}
