import {setTimeout as sleep} from 'node:timers/promises'
import {uploadForm} from '../server/upload-form.js'
import {buildWheel} from '../support/wheels.js'
import type {Chance} from './chance.js'
import {contradictions, faultOf, remember, Truth, type KnownFile, type PageFile} from './truth.js'

/** What an answer may be while services come and go; what else it is, is a fault. */
const deadlineMs = 60_000
const pageType = 'application/vnd.pypi.simple.v1+json'

/** How often each thing is done. */
const habits = {
  publish: 18,
  publishAgain: 3,
  remove: 4,
  yank: 4,
  unyank: 3,
  readJson: 20,
  readHtml: 8,
  readOlder: 6,
  download: 14,
  readPart: 8,
  readAgain: 8,
  list: 3,
} as const

export interface Told {
  /** What went wrong, in words. */
  readonly faults: string[]
  /** How many answers there were of each status, and how many never came, by reason. */
  readonly statuses: Map<number | string, number>
}

/** What came back, read to its end; nothing when the connection broke. */
interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

interface Asked {
  readonly body?: Buffer
  /** `http://127.0.0.1:PORT`. Default: the client's own. */
  readonly server?: string
  /** What it is about, if the answer says what becomes of a file. */
  readonly file?: KnownFile
}

/** One of those who use the index at a time, each with projects of its own, so that it knows what they must look like. */
export class Client {
  readonly truth = new Truth()
  readonly #versions = new Map<string, number>()

  /** @param server `http://127.0.0.1:PORT` */
  constructor(
    private readonly name: string,
    private readonly server: string,
    private readonly authorization: string,
    private readonly chance: Chance,
    private readonly told: Told,
  ) {}

  async work(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this[this.chance.weighted(habits)]()
      await sleep(this.chance.between(0, 20))
    }
  }

  /** Compares the pages of all projects on `server` with what is known. @returns what contradicts it. */
  async checkPages(server: string): Promise<string[]> {
    const wrong: string[] = []
    for (const project of new Set([...this.truth.files.values()].map(file => file.project))) {
      wrong.push(...(await this.#pageOf(project, {server, yanks: true})))
    }
    return wrong
  }

  /** Compares every file with what was sent. @returns what contradicts it. */
  async checkFiles(): Promise<string[]> {
    const wrong: string[] = []
    for (const file of this.truth.files.values()) {
      const answer = await this.#ask('GET', pathOf(file))
      if (file.state === 'here' && !(answer?.status === 200 && answer.bytes.equals(file.bytes)))
        wrong.push(faultOf(file, `: ${answer?.status ?? 'no answer'} instead of its bytes`))
      if (file.state === 'gone' && answer?.status !== 404)
        wrong.push(faultOf(file, ` was deleted and is answered ${answer?.status ?? 'not at all'}`))
    }
    return wrong
  }

  /**
   * Deletes every file about which a request got no answer: who was killed in the middle of an upload may have left bytes of
   * which nothing is said. @returns what was not deleted.
   */
  async removeUnsure(): Promise<string[]> {
    const wrong: string[] = []
    for (const file of this.truth.files.values()) {
      if (file.state !== 'unsure') continue
      const answer = await this.#ask('DELETE', pathOf(file), {}, {file})
      // 400 is pypicloud's "Could not find"
      if (answer?.status !== 200 && answer?.status !== 400)
        wrong.push(faultOf(file, `: its deletion is answered ${answer?.status ?? 'not at all'}`))
    }
    return wrong
  }

  protected async publish(): Promise<void> {
    const project = this.#project()
    const number = (this.#versions.get(project) ?? 0) + 1
    this.#versions.set(project, number)
    const large = this.chance.next() < 0.03
    const size = large ? this.chance.between(2_000_000, 5_000_000) : this.chance.between(100, 60_000)
    const wheel = await buildWheel({name: project, version: `1.${number}`, files: {'load/data.bin': size}})
    await this.#send(this.truth.add(project, wheel.filename, wheel.bytes))
  }

  protected async publishAgain(): Promise<void> {
    const file = this.#anyFile()
    if (file && file.state !== 'gone') await this.#send(file)
  }

  protected async remove(): Promise<void> {
    const file = this.#anyFile()
    if (!file) return
    const before = file.state
    file.state = 'unsure'
    file.yanked = 'unsure' // what was deleted half, and is published again, is another file
    const answer = await this.#ask('DELETE', pathOf(file), {}, {file})
    // 400 is pypicloud's "Could not find"
    const refused = answer?.status === 400 && before !== 'here'
    if (answer?.status === 200 || refused) file.state = file.mayArrive ? 'unsure' : 'gone'
    else this.#expectAway(answer, `DELETE ${file.filename}, which is ${before}`)
  }

  protected yank(): Promise<void> {
    return this.#mark(true)
  }
  protected unyank(): Promise<void> {
    return this.#mark(false)
  }

  protected async readJson(): Promise<void> {
    const project = this.#project()
    // while the storage is away, yanks are as a worker knew them last
    this.told.faults.push(...(await this.#pageOf(project, {server: this.server, yanks: false})))
  }

  protected async readHtml(): Promise<void> {
    const project = this.#project()
    const answer = await this.#ask('GET', `/simple/${project}/`, {accept: 'text/html'})
    if (answer?.status !== 200) {
      this.#expectAbsent(project, answer)
      return
    }
    const text = answer.bytes.toString()
    for (const file of this.truth.of(project)) {
      const {filename, state} = file
      const isListed = text.includes(`>${filename}<`)
      if ((state === 'here' && !isListed) || (state === 'gone' && isListed))
        this.told.faults.push(faultOf(file, `, which is ${state}: on the HTML page ${String(isListed)}`))
    }
  }

  protected async readOlder(): Promise<void> {
    const project = this.#project()
    const path = this.chance.oneOf([`/pypi/${project}/json`, `/api/package/${project}/`])
    const answer = await this.#ask('GET', path)
    if (answer?.status === 200) JSON.parse(answer.bytes.toString())
    else this.#expectAbsent(project, answer)
  }

  protected async download(): Promise<void> {
    const file = this.#anyFile()
    if (!file) return
    const answer = await this.#ask('GET', pathOf(file))
    if (answer?.status !== 200) {
      this.#expectGone(file, answer)
      return
    }
    if (!answer.bytes.equals(file.bytes)) this.told.faults.push(faultOf(file, ' has other bytes'))
    if (file.state === 'gone') this.told.faults.push(faultOf(file, ' was deleted and is sent'))
  }

  protected async readPart(): Promise<void> {
    const file = this.#anyFile()
    if (!file) return
    const first = this.chance.between(0, file.bytes.length - 1)
    const last = this.chance.between(first, file.bytes.length - 1)
    const answer = await this.#ask('GET', pathOf(file), {range: `bytes=${first}-${last}`})
    if (answer?.status !== 206) {
      this.#expectGone(file, answer)
      return
    }
    if (!answer.bytes.equals(file.bytes.subarray(first, last + 1)))
      this.told.faults.push(`${file.filename}: other bytes from ${first} to ${last}`)
  }

  protected async readAgain(): Promise<void> {
    const path = `/simple/${this.#project()}/`
    const before = await this.#ask('GET', path, {accept: pageType})
    const etag = before?.headers.get('etag')
    if (before?.status !== 200 || !etag) return
    const again = await this.#ask('GET', path, {accept: pageType, 'if-none-match': etag})
    if (again?.status === 304 && again.bytes.length === 0) return
    if (again?.status !== 200) this.#expectAway(again, `GET ${path} on condition`)
  }

  protected async list(): Promise<void> {
    const answer = await this.#ask('GET', '/simple/', {accept: pageType})
    if (answer?.status !== 200) {
      this.#expectAway(answer, 'GET /simple/')
      return
    }
    const {projects} = JSON.parse(answer.bytes.toString()) as {projects: {name: string}[]}
    const names = new Set(projects.map(({name}) => name))
    for (const {project} of this.truth.here())
      if (!names.has(project)) this.told.faults.push(`${project} is missing in the list`)
  }

  #project(): string {
    return `${this.name}-${this.chance.between(1, 4)}`
  }

  #anyFile(): KnownFile | undefined {
    const files = [...this.truth.files.values()]
    return files.length === 0 ? undefined : this.chance.oneOf(files)
  }

  async #send(file: KnownFile): Promise<void> {
    if (file.state !== 'here') file.state = 'unsure'
    const form = uploadForm(file, {name: file.project, version: file.filename.split('-')[1] ?? ''})
    const answer = await this.#ask('POST', '/simple/', form.headers, {body: form.payload, file})
    if (answer?.status === 200) {
      file.state = 'here'
      return
    }
    file.mayArrive = true
    this.#expectAway(answer, `POST ${file.filename}`)
  }

  async #mark(yanked: boolean): Promise<void> {
    const file = this.#anyFile()
    if (!file) return
    const {state} = file
    const before = file.yanked
    file.yanked = 'unsure'
    const path = `/api/project/${file.project}/yanked/${file.filename}`
    const answer = await this.#ask(yanked ? 'PUT' : 'DELETE', path, {}, {file})
    if (answer?.status === 200) file.yanked = yanked
    else if (answer?.status === 404 && state !== 'here') file.yanked = before
    else this.#expectAway(answer, `yank ${file.filename}, which is ${state}`)
  }

  /** @returns in what the page contradicts what is known. */
  async #pageOf(
    project: string,
    {server, yanks}: {readonly server: string; readonly yanks: boolean},
  ): Promise<string[]> {
    const answer = await this.#ask('GET', `/simple/${project}/`, {accept: pageType}, {server})
    if (answer?.status !== 200) {
      this.#expectAbsent(project, answer)
      return []
    }
    const {files} = JSON.parse(answer.bytes.toString()) as {files: PageFile[]}
    return contradictions(this.truth.of(project), files, {yanks})
  }

  /** 404 is right only for a project of which nothing is known to be there. */
  #expectAbsent(project: string, answer: Answer | undefined): void {
    if (answer?.status === 404 && !this.truth.of(project).some(({state}) => state === 'here')) return
    this.#expectAway(answer, `a page of ${project}`)
  }

  #expectGone(file: KnownFile, answer: Answer | undefined): void {
    if (answer?.status === 404 && file.state !== 'here') return
    this.#expectAway(answer, `GET ${file.filename}, which is ${file.state}`)
  }

  /** All that is left: a service is away, which says when to come again, or the connection broke. */
  #expectAway(answer: Answer | undefined, what: string): void {
    if (!answer) return
    const saysWhen = /^\d+$/.test(answer.headers.get('retry-after') ?? '')
    if (answer.status === 503 && saysWhen) return
    const body = answer.bytes.toString('utf8', 0, 300)
    this.told.faults.push(`${what}: ${answer.status}${saysWhen ? '' : ' without Retry-After'}: ${body}`)
  }

  async #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    {body, server = this.server, file}: Asked = {},
  ): Promise<Answer | undefined> {
    const heard = file && remember(file, `${method} ${path}`)
    let answer: Answer | undefined
    let broken = ''
    try {
      const response = await fetch(server + path, {
        method,
        headers: {authorization: this.authorization, ...headers},
        ...(body && {body: new Uint8Array(body)}),
        signal: AbortSignal.timeout(deadlineMs),
      })
      const bytes = Buffer.from(await response.arrayBuffer())
      answer = {status: response.status, headers: response.headers, bytes}
    } catch (error) {
      broken = reasonOf(error)
      if (error instanceof Error && error.name === 'TimeoutError')
        this.told.faults.push(`${method} ${path}: no answer in ${deadlineMs / 1000} s`)
    }
    const status = answer?.status ?? broken
    heard?.(`${status} (${answer?.headers.get('x-request-id') ?? ''})`)
    this.told.statuses.set(status, (this.told.statuses.get(status) ?? 0) + 1)
    if (answer && answer.status >= 400 && /^\s+at \S/m.test(answer.bytes.toString('utf8', 0, 5000)))
      this.told.faults.push(`${method} ${path}: ${status} with a stack trace`)
    return answer
  }
}

const pathOf = ({project, filename}: KnownFile): string => `/api/package/${project}/${filename}`

/** Of a connection that broke: `ECONNRESET`. */
function reasonOf(error: unknown): string {
  const {cause} = error as {cause?: {code?: string}}
  return cause?.code ?? String(error)
}
