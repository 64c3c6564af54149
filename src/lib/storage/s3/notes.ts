import {DeleteObjectCommand, GetObjectCommand, PutObjectCommand} from '@aws-sdk/client-s3'
import type {Conditions} from './conditions.js'
import {md5} from './confirm.js'
import {attemptsOf, isPreconditionFailed, isWriteConflict} from './errors.js'
import {atObject, notesName, type S3Place} from './place.js'
import {ObjectMissing, type RemovableText} from '../storage.js'

/**
 * Facts of ours in an object beside the packages: without metadata and with an ending that makes pypicloud skip it.
 * Where the service does not keep to conditions, two who write in the same moment may undo each other's.
 */
export class S3Notes implements RemovableText {
  readonly #place: S3Place
  readonly #conditions: Conditions
  readonly #key: string

  constructor(
    place: S3Place,
    conditions: Conditions,
    private readonly name = notesName,
  ) {
    this.#place = place
    this.#conditions = conditions
    this.#key = `${place.settings.values.prefix}${name}`
  }

  beside(name: string): S3Notes {
    return new S3Notes(this.#place, this.#conditions, `${this.name}.${name}`)
  }

  async remove(): Promise<void> {
    const {client, bucket} = this.#place
    await atObject(this.#place, this.#key, "can't be removed", () =>
      client.send(new DeleteObjectCommand({Bucket: bucket, Key: this.#key})),
    )
  }

  async read(): Promise<{text: string; version: string} | undefined> {
    const {client, bucket} = this.#place
    try {
      return await atObject(this.#place, this.#key, "can't be read", async () => {
        const found = await client.send(new GetObjectCommand({Bucket: bucket, Key: this.#key}))
        return {text: (await found.Body?.transformToString('utf-8')) ?? '', version: found.ETag ?? ''}
      })
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined
      throw error
    }
  }

  async write(text: string, expected: string | undefined): Promise<boolean> {
    const conditional = await this.#conditions.areKept()
    if (!conditional && (await this.read())?.version !== expected) return false
    const bytes = Buffer.from(text)
    const put = new PutObjectCommand({
      Bucket: this.#place.bucket,
      Key: this.#key,
      Body: bytes,
      ContentMD5: md5(bytes).toString('base64'),
      ContentType: 'application/json',
      ...(conditional && (expected === undefined ? {IfNoneMatch: '*'} : {IfMatch: expected})),
    })
    return atObject(this.#place, this.#key, "can't be written", async () => {
      try {
        await this.#place.client.send(put)
        return true
      } catch (error) {
        if (!isPreconditionFailed(error) && !isWriteConflict(error)) throw error
        // the answer to a first attempt may have been lost
        return attemptsOf(error) > 1 && (await this.read())?.text === text
      }
    }).catch((error: unknown) => {
      if (error instanceof ObjectMissing) return false // it was there when it was read
      throw error
    })
  }
}
