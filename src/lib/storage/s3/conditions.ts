import {randomBytes} from 'node:crypto'
import {DeleteObjectCommand, PutObjectCommand} from '@aws-sdk/client-s3'
import {isNotImplemented, isPreconditionFailed, s3Failure} from './errors.js'
import {probeName, type S3Place} from './place.js'

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
    const {client, bucket, settings} = this.#place
    const Key = `${settings.values.prefix}${probeName}-${randomBytes(6).toString('hex')}`
    const put = () =>
      client.send(new PutObjectCommand({Bucket: bucket, Key, Body: Buffer.from('probe'), IfNoneMatch: '*'}))
    try {
      await put()
      await put()
      return false
    } catch (error) {
      if (isPreconditionFailed(error)) return true
      if (isNotImplemented(error)) return false
      throw error
    } finally {
      // it harms no listing, and nobody waits for it
      this.#cleaning = client.send(new DeleteObjectCommand({Bucket: bucket, Key})).catch(() => undefined)
    }
  }

  /** Before the client is closed. */
  async settle(): Promise<void> {
    await this.#cleaning
  }
}
