import type {ContainerClient, BlobServiceClient} from '@azure/storage-blob'
import {createHash} from 'node:crypto'
import {text} from 'node:stream/consumers'
import {
  azureFailure,
  azureStatus,
  isConditionFailed,
  isContainerMissing,
  isForbidden,
  type AzureSettings,
} from './errors.js'
import {withRetries} from './retry.js'
import {NotesOutOfReach, type RemovableText} from '../storage.js'

const suffix = '-ppc-notes'
const longestContainerName = 63

/**
 * Notes in a container of their own beside that of the packages, `packages-ppc-notes`: pypicloud's listing dies on blobs
 * without its metadata. Made when the first note is written. One blob for each prefix.
 */
export class AzureNotes implements RemovableText {
  readonly #container: ContainerClient
  readonly #blobName: string
  readonly #settings: AzureSettings

  constructor(
    private readonly service: BlobServiceClient,
    private readonly packages: string,
    prefix: string,
    settings: AzureSettings,
    private readonly stem = `${prefix}ppc-toolkit-notes`,
  ) {
    this.#container = service.getContainerClient(notesContainer(packages))
    this.#blobName = `${stem}.json`
    this.#settings = settings
  }

  beside(name: string): AzureNotes {
    return new AzureNotes(this.service, this.packages, '', this.#settings, `${this.stem}.${name}`)
  }

  async remove(): Promise<void> {
    try {
      await withRetries(({abortSignal}) => this.#blob.deleteIfExists({abortSignal}))
    } catch (error) {
      if (!isContainerMissing(error)) throw this.#failure(error, 'removed')
    }
  }

  async read(): Promise<{text: string; version: string} | undefined> {
    try {
      return await withRetries(async ({abortSignal}) => {
        const {etag, readableStreamBody} = await this.#blob.download(0, undefined, {abortSignal})
        if (etag === undefined || readableStreamBody === undefined) return undefined
        return {text: await text(readableStreamBody), version: etag}
      })
    } catch (error) {
      if (azureStatus(error) === 404) return undefined
      throw this.#failure(error, 'read')
    }
  }

  async write(content: string, expected: string | undefined): Promise<boolean> {
    try {
      return await this.#write(content, expected)
    } catch (error) {
      if (!isContainerMissing(error)) throw this.#failure(error, 'written')
    }
    try {
      await withRetries(({abortSignal}) => this.#container.createIfNotExists({abortSignal}))
      return await this.#write(content, expected)
    } catch (error) {
      throw this.#failure(error, 'written')
    }
  }

  async #write(content: string, expected: string | undefined): Promise<boolean> {
    const bytes = Buffer.from(content, 'utf8')
    return withRetries(async ({number, abortSignal}) => {
      try {
        await this.#blob.upload(bytes, bytes.length, {
          abortSignal,
          conditions: expected === undefined ? {ifNoneMatch: '*'} : {ifMatch: expected},
          blobHTTPHeaders: {blobContentType: 'application/json'},
        })
        return true
      } catch (error) {
        if (!isConditionFailed(error)) throw error
        // the answer to an earlier attempt may have been lost, and the text be that attempt's
        return number > 1 && (await this.read())?.text === content
      }
    })
  }

  get #blob() {
    return this.#container.getBlockBlobClient(this.#blobName)
  }

  #failure(error: unknown, done: 'read' | 'written' | 'removed'): unknown {
    const {containerName} = this.#container
    const what = `the notes on deleted projects and locks could not be ${done}`
    if (!isForbidden(error)) return azureFailure(error, what, this.#settings)
    const message = `${what}: ${this.#settings.credentials} gives no right to the container ${containerName} beside that of the packages; create it and allow reading and writing there (a SAS token has to be one of the account)`
    return new NotesOutOfReach(message, {cause: error})
  }
}

/** Lower-case letters, digits and single hyphens, as the service wants it. */
function notesContainer(container: string): string {
  const plain = container.replace(/^\$/, '')
  if (plain.length + suffix.length <= longestContainerName) return plain + suffix
  const hash = createHash('sha256').update(container).digest('hex').slice(0, 8)
  const room = longestContainerName - suffix.length - hash.length - 1
  return `${plain.slice(0, room).replace(/-$/, '')}-${hash}${suffix}`
}
