import type {Readable} from 'node:stream'
import type {Config} from '../../config/config.js'
import {openBucket, checkBucket} from './bucket.js'
import {Conditions} from './conditions.js'
import {deleteObject} from './delete.js'
import {s3Links} from './links.js'
import {listObjects} from './list.js'
import {S3Notes} from './notes.js'
import {overlap, serviceOf} from './overlap.js'
import {atObject, headObject, type S3Place} from './place.js'
import {putObject} from './put.js'
import {fetchObject, readObject} from './read.js'
import {readS3Settings} from './settings.js'
import type {
  Body,
  ByteRange,
  CopyOptions,
  FetchedObject,
  Layout,
  Leftover,
  ListedObject,
  ObjectStore,
  Oddity,
  PutOptions,
  StorageLinks,
  StoredObject,
} from '../storage.js'

/**
 * `pypi.storage = s3`: a bucket of AWS or of a service that speaks like it. Made when it is missing, as pypicloud does.
 * @param linksTo who makes links; the service itself unless something stands in front of it.
 * @throws {ConfigError} @throws {StorageFailed} @throws {Unavailable}
 */
export async function openS3Store(
  config: Config,
  linksTo: (config: Config, place: S3Place) => StorageLinks = s3Links,
): Promise<ObjectStore> {
  const place = await openBucket(readS3Settings(config))
  return new S3Store(place, linksTo(config, place))
}

class S3Store implements ObjectStore {
  readonly name: string
  readonly layout: Layout
  readonly keyPrefix: string
  readonly links: StorageLinks
  readonly notes: S3Notes
  readonly #place: S3Place
  readonly #conditions: Conditions

  constructor(place: S3Place, links: StorageLinks) {
    const {prefix, prependHash} = place.settings.values
    this.name = place.name
    this.layout = prependHash ? 'hashed' : 'flat'
    this.keyPrefix = prefix
    this.links = links
    this.#place = place
    this.#conditions = new Conditions(place)
    this.notes = new S3Notes(place, this.#conditions)
  }

  async put(key: string, body: Body, options: PutOptions): Promise<StoredObject> {
    const conditional = options.replace || (await this.#conditions.areKept())
    return putObject(this.#place, key, body, options, conditional)
  }

  decidesPuts(): Promise<boolean> {
    return this.#conditions.areKept()
  }

  async copyFrom(
    source: ObjectStore,
    sourceKey: string,
    key: string,
    options: CopyOptions,
  ): Promise<StoredObject | undefined> {
    if (!(source instanceof S3Store) || !this.#canReach(source)) return undefined
    const conditional = options.replace || (await this.#conditions.areKept())
    const {copyObject} = await import('./copy.js')
    return copyObject(
      {place: source.#place, key: sourceKey},
      {place: this.#place, key},
      {...options, conditional},
    )
  }

  open(key: string, range?: ByteRange): Promise<Readable> {
    return readObject(this.#place, key, range)
  }

  fetch(key: string, size: number): Promise<FetchedObject> {
    return fetchObject(this.#place, key, size)
  }

  stat(key: string): Promise<StoredObject> {
    return headObject(this.#place, key)
  }

  list(within: string): AsyncIterable<ListedObject | Oddity> {
    return listObjects(this.#place, this.keyPrefix + within)
  }

  async delete(key: string): Promise<void> {
    await atObject(this.#place, key, 'was not removed', () => deleteObject(this.#place, key))
  }

  async *leftovers(): AsyncIterable<Leftover> {
    const {listLeftovers} = await import('./leftovers.js')
    yield* listLeftovers(this.#place, this.layout)
  }

  check(): Promise<void> {
    return checkBucket(this.#place)
  }

  async overlaps(other: ObjectStore): Promise<boolean> {
    return other instanceof S3Store && overlap(this.#place, other.#place)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#conditions.settle()
    this.#place.api.destroy()
  }

  /** One request reads there and writes here: with the same credentials, at the same service. */
  #canReach(source: S3Store): boolean {
    const mine = this.#place.settings.values.accessKeyId
    return (
      serviceOf(source.#place) === serviceOf(this.#place) &&
      source.#place.settings.values.accessKeyId === mine
    )
  }
}
