import type {Readable} from 'node:stream'
import type {Config} from '../../config/config.js'
import {streamsFiles} from '../../config/derived.js'
import {gcsAclOf, gcsStorageFields} from '../../config/schema/storage.js'
import {GcsApi} from './api.js'
import {checkBucket, ensureBucket} from './bucket.js'
import {BodyBroken} from './chunks.js'
import {rewriteObject} from './copy.js'
import {openCredentials, placeOf} from './credentials.js'
import {gcsFailure, hasStatus, isMissingObject} from './errors.js'
import {listObjects} from './list.js'
import {GcsNotes} from './notes.js'
import {storedObject, type NewObject} from './object.js'
import {deleteObject, putObject, statObject} from './put.js'
import {readObject} from './read.js'
import {GcsLinks} from './sign.js'
import {
  isOddity,
  ObjectExists,
  ObjectMissing,
  type Body,
  type ByteRange,
  type CopyOptions,
  type Layout,
  type ListedObject,
  type ObjectStore,
  type Oddity,
  type PutOptions,
  type StorageLinks,
  type StoredObject,
} from '../storage.js'

/**
 * `pypi.storage = gcs`: a bucket of Google Cloud Storage, made when it is missing.
 * @throws {StorageFailed} naming the setting to blame. @throws {Unavailable} when the service is down.
 */
export async function openGcsStore(config: Config): Promise<ObjectStore> {
  const values = config.read(gcsStorageFields)
  const credentials = await openCredentials(config, values)
  const api = new GcsApi(credentials.root, credentials)
  try {
    await ensureBucket(api, values.bucket, {
      location: values.regionName,
      projectId: credentials.projectId,
      places: {
        bucket: placeOf(config, 'storage.bucket'),
        service: placeOf(config, 'storage.gcp_api_endpoint'),
      },
    })
  } catch (error) {
    api[Symbol.dispose]()
    throw error
  }
  const {signer, linkOrigin: origin} = credentials
  const {bucket, redirectUrls, expireAfter} = values
  const links =
    signer &&
    new GcsLinks(signer, {
      origin,
      bucket,
      inPages: !redirectUrls,
      ...(config.settings.has('storage.expire_after') ? {expireAfterSeconds: expireAfter} : {}),
    })
  return new GcsStore(api, {
    bucket,
    keyPrefix: values.prefix,
    layout: values.prependHash ? 'hashed' : 'flat',
    storageClass: values.storageClass,
    predefinedAcl: values.objectAcl && gcsAclOf(values.objectAcl),
    ...(links ? {links} : {}),
    notices: links || streamsFiles(config) ? [] : [cannotSign(bucket)],
  })
}

const cannotSign = (bucket: string) =>
  `gs://${bucket}: nothing can sign links, so this server sends all files itself; name a JSON key with storage.gcp_service_account_json_filename or set storage.gcp_use_iam_signer`

interface GcsStoreOptions {
  readonly bucket: string
  readonly keyPrefix: string
  readonly layout: Layout
  readonly storageClass: string | undefined
  readonly predefinedAcl: string | undefined
  readonly links?: StorageLinks
  readonly notices: readonly string[]
}

class GcsStore implements ObjectStore {
  readonly name: string
  readonly layout: Layout
  readonly keyPrefix: string
  readonly links?: StorageLinks
  readonly notices: readonly string[]
  readonly notes: GcsNotes
  readonly #api: GcsApi
  readonly #options: GcsStoreOptions

  constructor(api: GcsApi, options: GcsStoreOptions) {
    const {bucket, keyPrefix, layout, links} = options
    this.name = `gs://${bucket}/${keyPrefix}`.replace(/\/$/, '')
    this.layout = layout
    this.keyPrefix = keyPrefix
    if (links) this.links = links
    this.notices = options.notices
    this.notes = new GcsNotes(api, bucket, keyPrefix)
    this.#api = api
    this.#options = options
  }

  async put(key: string, body: Body, options: PutOptions): Promise<StoredObject> {
    try {
      return storedObject(await putObject(this.#api, this.#newObject(key, options), body, options.signal))
    } catch (error) {
      if (error instanceof BodyBroken) throw error.cause
      throw this.#writeFailure(error, key)
    }
  }

  async copyFrom(
    source: ObjectStore,
    sourceKey: string,
    key: string,
    options: CopyOptions,
  ): Promise<StoredObject | undefined> {
    if (!(source instanceof GcsStore) || source.#api.root !== this.#api.root) return undefined
    const from = {bucket: source.#options.bucket, key: sourceKey}
    try {
      const copy = await rewriteObject(this.#api, from, this.#newObject(key, options), options.signal)
      return copy && storedObject(copy)
    } catch (error) {
      if (isMissingObject(error)) throw new ObjectMissing(`${sourceKey} is not stored`, {cause: error})
      throw this.#writeFailure(error, key)
    }
  }

  async open(key: string, range?: ByteRange): Promise<Readable> {
    const failure = (error: unknown) => this.#readFailure(error, key)
    try {
      return await readObject(this.#api, {bucket: this.#options.bucket, key, range}, failure)
    } catch (error) {
      throw failure(error)
    }
  }

  async stat(key: string): Promise<StoredObject> {
    try {
      return storedObject(await statObject(this.#api, {bucket: this.#options.bucket, key}))
    } catch (error) {
      throw this.#readFailure(error, key)
    }
  }

  async *list(within: string): AsyncIterable<ListedObject | Oddity> {
    try {
      yield* listObjects(this.#api, this.#options.bucket, this.keyPrefix + within)
    } catch (error) {
      throw gcsFailure(error, `${this.name} can't be listed`)
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await deleteObject(this.#api, {bucket: this.#options.bucket, key})
    } catch (error) {
      throw gcsFailure(error, `${key} was not removed from ${this.name}`)
    }
  }

  async check(): Promise<void> {
    try {
      await checkBucket(this.#api, this.#options.bucket)
    } catch (error) {
      throw gcsFailure(error, this.name)
    }
  }

  async overlaps(other: ObjectStore): Promise<boolean> {
    if (!(other instanceof GcsStore) || other.#options.bucket !== this.#options.bucket) return false
    const isInner = this.keyPrefix.startsWith(other.keyPrefix)
    if (!isInner && !other.keyPrefix.startsWith(this.keyPrefix)) return false
    if (other.#api.root === this.#api.root) return true
    // a bucket can have a private address too: one generation of one object is not in two buckets
    const [inner, outer] = isInner ? [this, other] : [other, this]
    for await (const entry of inner.list('')) {
      if (!isOddity(entry)) return outer.#holds(entry)
    }
    return false
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a contract of promises
  async [Symbol.asyncDispose](): Promise<void> {
    this.#api[Symbol.dispose]()
  }

  async #holds({key, fingerprint}: ListedObject): Promise<boolean> {
    try {
      return (await this.stat(key)).fingerprint === fingerprint
    } catch (error) {
      if (error instanceof ObjectMissing) return false
      throw error
    }
  }

  #newObject(key: string, {metadata = {}, replace}: PutOptions): NewObject {
    const {bucket, storageClass, predefinedAcl} = this.#options
    return {
      bucket,
      key,
      metadata,
      storageClass,
      predefinedAcl,
      expectedGeneration: replace ? undefined : '0',
    }
  }

  #readFailure(error: unknown, key: string): unknown {
    if (isMissingObject(error)) return new ObjectMissing(`${key} is not stored`, {cause: error})
    return gcsFailure(error, `${key} can't be read from ${this.name}`)
  }

  #writeFailure(error: unknown, key: string): unknown {
    if (hasStatus(error, 412)) return new ObjectExists(`${key} is stored already`, {cause: error})
    return gcsFailure(error, `${key} was not stored in ${this.name}`)
  }
}
