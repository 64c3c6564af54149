import {buffer} from 'node:stream/consumers'
import {objectPath, retrying, type GcsApi} from './api.js'
import {gcsFailure, hasStatus, isMissingObject} from './errors.js'
import {deleteObject, putObject} from './put.js'
import {bodyOfText} from './chunks.js'
import type {RemovableText} from '../storage.js'

/** Behind the store's prefix. pypicloud's listing skips what has no name and version as metadata. */
const notesName = 'ppc-toolkit.notes'

/** Also those of another store whose prefix begins with ours. */
export const isNotes = (key: string): boolean => /ppc-toolkit\.notes(?:\.[a-z0-9-]+)?$/.test(key)

export class GcsNotes implements RemovableText {
  readonly #api: GcsApi
  readonly #place: {readonly bucket: string; readonly key: string}

  /** @param name behind the prefix. */
  constructor(api: GcsApi, bucket: string, keyPrefix: string, name = notesName) {
    this.#api = api
    this.#place = {bucket, key: keyPrefix + name}
  }

  beside(name: string): GcsNotes {
    const {bucket, key} = this.#place
    return new GcsNotes(this.#api, bucket, key, `.${name}`)
  }

  async remove(): Promise<void> {
    const {bucket, key} = this.#place
    try {
      await deleteObject(this.#api, this.#place)
    } catch (error) {
      throw gcsFailure(error, `gs://${bucket}/${key} can't be removed`)
    }
  }

  /** The version is the object's generation. */
  async read(): Promise<{text: string; version: string} | undefined> {
    const {bucket, key} = this.#place
    try {
      return await retrying(async () => {
        const answer = await this.#api.accepted({
          method: 'GET',
          path: objectPath(bucket, key),
          query: {alt: 'media'},
        })
        const content = await buffer(answer)
        return {text: content.toString('utf8'), version: String(answer.headers['x-goog-generation'])}
      })
    } catch (error) {
      if (isMissingObject(error)) return undefined
      throw gcsFailure(error, `gs://${bucket}/${key} can't be read`)
    }
  }

  async write(text: string, expected: string | undefined): Promise<boolean> {
    const {bucket, key} = this.#place
    const object = {
      ...this.#place,
      metadata: {},
      cacheControl: 'no-store',
      expectedGeneration: expected ?? '0',
    }
    try {
      await putObject(this.#api, object, bodyOfText(text))
      return true
    } catch (error) {
      if (hasStatus(error, 412)) return false
      throw gcsFailure(error, `gs://${bucket}/${key} can't be written`)
    }
  }
}
