import {randomBytes} from 'node:crypto'
import {md5} from './confirm.js'
import {deleteObject} from './delete.js'
import {isNotImplemented, isPreconditionFailed, s3Failure} from './errors.js'
import {probeName, type S3Place} from './place.js'
import {putQuickly} from './quick-put.js'

/** Whether the service keeps to `If-None-Match: *`. AWS does; of others an object of ours is put twice, once a process. */
export class Conditions {
  readonly #place: S3Place
  #known: Promise<boolean> | undefined
  #cleaning: Promise<unknown> | undefined

  constructor(place: S3Place) {
    this.#place = place
    if (place.settings.endpoint === undefined) this.#known = Promise.resolve(true)
  }

  areKept(): Promise<boolean> {
    this.#known ??= this.#probe().catch((error: unknown) => {
      this.#known = undefined // the next one asks again
      throw s3Failure(error, `${this.#place.name} can't be written`, this.#place.settings)
    })
    return this.#known
  }

  async #probe(): Promise<boolean> {
    const key = `${this.#place.settings.values.prefix}${probeName}-${randomBytes(6).toString('hex')}`
    try {
      return !(await this.#putNew(key)) || !(await this.#putNew(key))
    } catch (error) {
      if (isPreconditionFailed(error)) return true
      if (isNotImplemented(error)) return false
      throw error
    } finally {
      // it harms no listing, and nobody waits for it
      this.#cleaning = deleteObject(this.#place, key).catch(() => undefined)
    }
  }

  /** @returns false when it is there already: a first attempt whose answer was lost counts, too. */
  async #putNew(key: string): Promise<boolean> {
    const {api, bucket} = this.#place
    const bytes = Buffer.from('probe')
    const params = {Bucket: bucket, Key: key, IfNoneMatch: '*'}
    const quick = await putQuickly(this.#place, params, bytes, md5(bytes).toString('base64'))
    if (quick.isDone || quick.isRefused) return quick.isDone
    const {client, PutObjectCommand} = await api.sdk()
    await client.send(new PutObjectCommand({...params, Body: bytes}))
    return true
  }

  /** Before the client is closed. */
  async settle(): Promise<void> {
    await this.#cleaning
  }
}
