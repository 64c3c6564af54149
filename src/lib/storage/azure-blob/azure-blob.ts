import type {BlockBlobClient, ContainerClient} from '@azure/storage-blob'
import type {Readable} from 'node:stream'
import type {Config} from '../../config/config.js'
import {streamsFiles} from '../../config/derived.js'
import {azureStorageFields} from '../../config/schema/storage.js'
import {openAzureAccount, type AzureAccount} from './account.js'
import {copyBlob} from './copy.js'
import {StorageFailed} from '../../errors.js'
import {azureFailure, isBlobMissing, isContainerMissing, isForbidden} from './errors.js'
import {AzureLinks} from './links.js'
import {fingerprintOf, listBlobs} from './list.js'
import {fromAzureMetadata} from './metadata.js'
import {AzureNotes} from './notes.js'
import {putBlob, type PutResult} from './put.js'
import {openBlob} from './read.js'
import {withRetries} from './retry.js'
import {ByteBudget} from '../byte-budget.js'
import {
  ObjectMissing,
  type Body,
  type ByteRange,
  type CopyOptions,
  type ListedObject,
  type ObjectStore,
  type Oddity,
  type PutOptions,
  type StorageLinks,
  type StoredObject,
} from '../storage.js'

/** Bytes that the uploads of one store buffer at the same time. */
const bufferedBytes = 32 << 20
/** Seconds for which the service itself may read the source of a copy. */
const copyLinkSeconds = 3600

interface Place {
  readonly account: AzureAccount
  readonly containerName: string
  readonly prefix: string
  /** `storage.expire_after`, where it is set. */
  readonly expireAfterSeconds: number | undefined
  /** The config wants this server to send all files itself. */
  readonly isStreamed: boolean
}

/**
 * `pypi.storage = azure-blob`. A missing container is made, with no access for the public.
 * @throws {ConfigError} @throws {StorageFailed} for credentials and rights. @throws {Unavailable}
 */
export async function openAzureBlobStore(config: Config): Promise<ObjectStore> {
  const values = config.read(azureStorageFields)
  const store = new AzureBlobStore({
    account: await openAzureAccount(config, values),
    containerName: values.containerName,
    prefix: values.prefix,
    expireAfterSeconds: config.settings.has('storage.expire_after') ? values.expireAfter : undefined,
    isStreamed: streamsFiles(config),
  })
  await store.prepare()
  return store
}

/** Blobs as pypicloud lays them out, `[prefix]name/filename`, with name, version and all else as metadata. */
class AzureBlobStore implements ObjectStore {
  readonly name: string
  readonly layout = 'flat'
  readonly keyPrefix: string
  readonly links?: StorageLinks
  readonly notices: readonly string[]
  readonly notes: AzureNotes
  readonly #place: Place
  readonly #container: ContainerClient
  readonly #signer: AzureLinks
  readonly #budget = new ByteBudget(bufferedBytes)

  constructor(place: Place) {
    const {account, containerName, prefix, expireAfterSeconds} = place
    this.#place = place
    this.#container = account.service.getContainerClient(containerName)
    this.#signer = new AzureLinks(account)
    this.name = `azure://${account.name}/${containerName}${prefix === '' ? '' : `/${prefix}`}`
    this.keyPrefix = prefix
    this.notes = new AzureNotes(account.service, containerName, prefix, account.settings)
    this.notices = []
    if (account.authentication === 'token') {
      if (!place.isStreamed) this.notices = [cannotSign(this.name)]
    } else {
      this.links = {
        inPages: false,
        ...(expireAfterSeconds !== undefined && {expireAfterSeconds}),
        urlOf: (key, seconds) =>
          this.#explained(`a link to ${key} can't be signed`, () =>
            this.#signer.sign(this.#blob(key), seconds),
          ),
      }
    }
  }

  /** Finds the container, or makes it. */
  async prepare(): Promise<void> {
    await this.#explained(`${this.name} can't be used`, async () => {
      try {
        await this.#probe()
      } catch (error) {
        if (!isContainerMissing(error)) throw error
        await this.#create()
      }
    })
  }

  async put(key: string, body: Body, options: PutOptions): Promise<StoredObject> {
    const put = () => putBlob(this.#blob(key), body, options, this.#budget)
    const result = await this.#explained(`${key} was not stored in ${this.name}`, put, options.signal)
    return stored(key, body.size, result)
  }

  async copyFrom(
    source: ObjectStore,
    sourceKey: string,
    key: string,
    options: CopyOptions,
  ): Promise<StoredObject | undefined> {
    if (!(source instanceof AzureBlobStore)) return undefined
    const blob = source.#blob(sourceKey)
    try {
      const result = await copyBlob(blob, () => source.#linkForCopy(blob), this.#blob(key), options)
      return result && stored(key, result.size, result)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (isBlobMissing(error)) throw new ObjectMissing(`${sourceKey} is not stored`, {cause: error})
      throw this.#failure(error, `${key} was not copied to ${this.name}`)
    }
  }

  open(key: string, range?: ByteRange): Promise<Readable> {
    const {settings} = this.#place.account
    return this.#found(key, () => openBlob(this.#blob(key), range, settings))
  }

  stat(key: string): Promise<StoredObject> {
    return this.#found(key, async () => {
      const found = await withRetries(({abortSignal}) => this.#blob(key).getProperties({abortSignal}))
      const {contentLength = 0, etag, lastModified, metadata = {}} = found
      return stored(key, contentLength, {etag, lastModified, metadata})
    })
  }

  async *list(within: string): AsyncIterable<ListedObject | Oddity> {
    try {
      yield* listBlobs(this.#container, this.keyPrefix + within)
    } catch (error) {
      throw this.#failure(error, `${this.name} can't be listed`)
    }
  }

  async delete(key: string): Promise<void> {
    await this.#explained(`${key} was not removed from ${this.name}`, async () => {
      try {
        await withRetries(({abortSignal}) =>
          this.#blob(key).delete({abortSignal, deleteSnapshots: 'include'}),
        )
      } catch (error) {
        if (!isBlobMissing(error)) throw error
      }
    })
  }

  async check(): Promise<void> {
    await this.#explained(`${this.name} can't be used`, () => this.#probe())
  }

  async overlaps(other: ObjectStore): Promise<boolean> {
    if (!(other instanceof AzureBlobStore)) return false
    const [mine, theirs] = [this.keyPrefix, other.keyPrefix]
    if (!mine.startsWith(theirs) && !theirs.startsWith(mine)) return false
    if (this.#container.containerName !== other.#container.containerName) return false
    if (urlOf(this.#container) === urlOf(other.#container)) return true
    // one account has several addresses: two containers of one name that were changed at the same moment are one
    const [ours, others] = await Promise.all([this.#version(), other.#version()])
    return ours === others
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // the SDK keeps sockets that don't hold the process
  }

  #blob(key: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(key)
  }

  /** As pypicloud's health: asks for a blob that is not there, which needs no more than the right to read. */
  async #probe(): Promise<void> {
    try {
      await withRetries(({abortSignal}) =>
        this.#blob(`${this.keyPrefix}__notexist`).getProperties({abortSignal}),
      )
    } catch (error) {
      if (!isBlobMissing(error)) throw error
    }
  }

  async #create(): Promise<void> {
    try {
      await withRetries(({abortSignal}) => this.#container.createIfNotExists({abortSignal}))
    } catch (error) {
      if (!isForbidden(error)) throw error
      const {credentials, container} = this.#place.account.settings
      throw new StorageFailed(
        `${this.name} can't be used: there is no such container, and ${credentials} gives no right to make it; see ${container}`,
        {cause: error},
      )
    }
  }

  #version(): Promise<string> {
    return this.#explained(`${this.name} can't be used`, async () => {
      const {etag} = await withRetries(({abortSignal}) => this.#container.getProperties({abortSignal}))
      return fingerprintOf(etag)
    })
  }

  /** A token is already in the address of the blob. It goes to the service only. */
  async #linkForCopy(blob: BlockBlobClient): Promise<URL> {
    return this.links === undefined ? new URL(blob.url) : this.#signer.sign(blob, copyLinkSeconds)
  }

  async #found<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isBlobMissing(error)) throw new ObjectMissing(`${key} is not stored`, {cause: error})
      throw this.#failure(error, `${key} can't be read from ${this.name}`)
    }
  }

  /** @param what is wrong when it fails. */
  async #explained<T>(what: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      throw this.#failure(error, what)
    }
  }

  #failure(error: unknown, what: string): unknown {
    return azureFailure(error, what, this.#place.account.settings)
  }
}

const cannotSign = (store: string) =>
  `${store}: a SAS token signs no links, so this server sends all files itself; set storage.storage_account_key or use an identity for links`

const stored = (key: string, size: number, {etag, lastModified, metadata}: PutResult): StoredObject => ({
  key,
  size,
  modified: lastModified ?? new Date(),
  fingerprint: fingerprintOf(etag),
  metadata: fromAzureMetadata(metadata),
})

/** Without a token. */
const urlOf = ({url}: ContainerClient): string => url.replace(/\?.*/, '').toLowerCase()
