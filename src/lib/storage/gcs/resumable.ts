import {text} from 'node:stream/consumers'
import {type GcsApi, retrying, uploadPath} from './api.js'
import type {Chunk} from './chunks.js'
import {CutShort, SessionLost} from './errors.js'
import {objectFields, queryOf, resourceOf, type GcsObject, type NewObject} from './object.js'

/** Statuses that a session answers with beside those of objects (cloud.google.com/storage/docs/resumable-uploads). */
const incomplete = 308
const lost: ReadonlySet<number> = new Set([404, 410])

/** An upload in parts: nothing is visible before the last one has arrived, and a part that was cut goes on. */
export class ResumableUpload {
  readonly #api: GcsApi
  /** Address of the session on the service, which is the credential too. */
  readonly #path: string
  readonly #size: number

  private constructor(api: GcsApi, path: string, size: number) {
    this.#api = api
    this.#path = path
    this.#size = size
  }

  /** @param size of all bytes. */
  static async begin(
    api: GcsApi,
    object: NewObject,
    size: number,
    signal?: AbortSignal,
  ): Promise<ResumableUpload> {
    const location = await retrying(
      async () => {
        const answer = await api.accepted({
          method: 'POST',
          path: uploadPath(object.bucket),
          query: {...queryOf(object), uploadType: 'resumable', name: object.key, fields: objectFields},
          headers: {
            'content-type': 'application/json; charset=UTF-8',
            'x-upload-content-type': 'application/octet-stream',
            'x-upload-content-length': String(size),
          },
          body: [Buffer.from(JSON.stringify(resourceOf(object)))],
          signal,
        })
        await text(answer)
        return answer.headers.location
      },
      {signal},
    )
    if (location === undefined) throw new SessionLost('the service opened no upload session')
    const {pathname, search} = new URL(location, api.root)
    return new ResumableUpload(api, pathname + search, size)
  }

  /**
   * @param md5 of all bytes in base64, with the last part: the service compares it.
   * @param attempted is told how many attempts it takes.
   * @returns the object after the last part.
   */
  async send(
    chunk: Chunk,
    md5: string | undefined,
    signal?: AbortSignal,
    attempted?: (number: number) => void,
  ): Promise<GcsObject | undefined> {
    const end = chunk.offset + chunk.bytes.length
    let from = chunk.offset
    return retrying(
      async attempt => {
        attempted?.(attempt)
        const state = await this.#put(chunk.bytes.subarray(from - chunk.offset), from, md5)
        if (typeof state === 'object') return state
        const isComplete = state >= end
        if (isComplete && !chunk.last) return undefined
        from = isComplete ? chunk.offset : Math.max(chunk.offset, state)
        throw new CutShort('a part of the upload did not arrive')
      },
      {signal},
    )
  }

  /** What has arrived is forgotten at once. Without it, the service does so after a week. */
  async cancel(): Promise<void> {
    const answer = await this.#api.send({
      method: 'DELETE',
      path: this.#path,
      signal: AbortSignal.timeout(10_000),
    })
    answer.resume()
  }

  /**
   * Bytes that the service has already are sent again rather than asked about: it ignores them.
   * @returns the object when that was all, else how many bytes the service holds.
   */
  async #put(bytes: Buffer, offset: number, md5: string | undefined): Promise<GcsObject | number> {
    const answer = await this.#api.send({
      method: 'PUT',
      path: this.#path,
      headers: {
        'content-range': `bytes ${offset}-${offset + bytes.length - 1}/${this.#size}`,
        ...(md5 === undefined ? {} : {'x-goog-hash': `md5=${md5}`}),
      },
      body: [bytes],
    })
    const status = answer.statusCode ?? 0
    const content = await text(answer)
    if (status === incomplete) return Number(/-(\d+)$/.exec(answer.headers.range ?? '')?.[1] ?? -1) + 1
    if (lost.has(status)) throw new SessionLost('the upload session is gone')
    if (status >= 300) throw this.#api.refusal(status, content)
    return JSON.parse(content) as GcsObject
  }
}
