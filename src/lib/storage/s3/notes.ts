import {text} from 'node:stream/consumers'
import type {Conditions} from './conditions.js'
import {md5} from './confirm.js'
import {deleteObject} from './delete.js'
import {attemptsOf, isPreconditionFailed, isWriteConflict} from './errors.js'
import {atObject, notesName, type S3Place} from './place.js'
import {putQuickly} from './quick-put.js'
import {askQuickly} from './quick-request.js'
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
    await atObject(this.#place, this.#key, "can't be removed", () => deleteObject(this.#place, this.#key))
  }

  async read(): Promise<{text: string; version: string} | undefined> {
    const quick = await this.#readQuickly()
    if (quick !== undefined) return quick === 'missing' ? undefined : quick
    const {api, bucket} = this.#place
    try {
      return await atObject(this.#place, this.#key, "can't be read", async () => {
        const {client, GetObjectCommand} = await api.sdk()
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
    const params = {
      Bucket: this.#place.bucket,
      Key: this.#key,
      ContentType: 'application/json',
      ...(conditional && (expected === undefined ? {IfNoneMatch: '*'} : {IfMatch: expected})),
    }
    const contentMd5 = md5(bytes).toString('base64')
    return atObject(this.#place, this.#key, "can't be written", async () => {
      const quick = await putQuickly(this.#place, params, bytes, contentMd5)
      if (quick.isDone || quick.isRefused) return quick.isDone
      const {client, PutObjectCommand} = await this.#place.api.sdk()
      try {
        await client.send(new PutObjectCommand({...params, Body: bytes, ContentMD5: contentMd5}))
        return true
      } catch (error) {
        if (!isPreconditionFailed(error) && !isWriteConflict(error)) throw error
        // the answer to a first attempt may have been lost
        return (quick.mayHaveArrived || attemptsOf(error) > 1) && (await this.read())?.text === text
      }
    }).catch((error: unknown) => {
      if (error instanceof ObjectMissing) return false // it was there when it was read
      throw error
    })
  }

  /** Undefined: the SDK is to ask. */
  async #readQuickly(): Promise<{text: string; version: string} | 'missing' | undefined> {
    const answer = await askQuickly(this.#place, {method: 'GET', key: this.#key})
    const found = answer && (await text(answer.body).catch(() => undefined))
    if (answer === undefined || found === undefined) return undefined
    if (answer.statusCode === 200) return {text: found, version: answer.headers['etag'] ?? ''}
    return answer.statusCode === 404 && found.includes('<Code>NoSuchKey</Code>') ? 'missing' : undefined
  }
}
