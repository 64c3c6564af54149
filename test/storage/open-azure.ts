import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  BlobServiceClient,
  ContainerSASPermissions,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
  type ContainerClient,
} from '@azure/storage-blob'
import {openAzureBlobStore} from '../../src/lib/storage/azure-blob/azure-blob.js'
import type {ObjectStore} from '../../src/lib/storage/storage.js'
import type {Azurite} from '../services/azurite.js'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'

/** Containers of one azurite, looked at by the service's own SDK and opened as storages. */
export class AzureContainers implements AsyncDisposable {
  readonly service: BlobServiceClient
  readonly #credential: StorageSharedKeyCredential
  readonly #azurite: Azurite
  readonly #temp: Awaited<ReturnType<typeof tempDir>>

  private constructor(azurite: Azurite, temp: Awaited<ReturnType<typeof tempDir>>) {
    this.#azurite = azurite
    this.#temp = temp
    this.#credential = new StorageSharedKeyCredential(azurite.accountName, azurite.accountKey)
    this.service = new BlobServiceClient(azurite.url, this.#credential)
  }

  static async on(azurite: Azurite): Promise<AzureContainers> {
    return new AzureContainers(azurite, await tempDir())
  }

  /** Of the service, with the account's name. */
  get accountUrl(): string {
    return this.#azurite.url
  }

  /** The app section of a config for `container`. */
  settings(container: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      'pypi.storage': 'azure-blob',
      'storage.storage_account_name': this.#azurite.accountName,
      'storage.storage_account_key': this.#azurite.accountKey,
      'storage.storage_account_url': this.#azurite.url,
      'storage.storage_container_name': container,
      'db.url': 'sqlite:///cache.db',
      ...Object.fromEntries(Object.entries(more).map(([key, value]) => [key, value.replaceAll('%', '%%')])),
    }
  }

  /** As `pypi.storage = azure-blob` does with these settings. An empty one counts as not set. */
  async open(container: string, more: Readonly<Record<string, string>> = {}): Promise<ObjectStore> {
    return openAzureBlobStore(await configWith(this.#temp.path, this.settings(container, more)))
  }

  container(name: string): ContainerClient {
    return this.service.getContainerClient(name)
  }

  /** A signature for everything in the account, or what `permissions` (`rl`) leave of it. */
  token(permissions = 'rwdlac', seconds = 3600): string {
    return generateAccountSASQueryParameters(
      {
        expiresOn: new Date(Date.now() + seconds * 1000),
        permissions: AccountSASPermissions.parse(permissions),
        resourceTypes: AccountSASResourceTypes.parse('co').toString(),
        services: AccountSASServices.parse('b').toString(),
      },
      this.#credential,
    ).toString()
  }

  /** A signature for one container and nothing beside it. */
  tokenOf(containerName: string): string {
    const expiresOn = new Date(Date.now() + 3_600_000)
    const permissions = ContainerSASPermissions.parse('rcwdl')
    return generateBlobSASQueryParameters(
      {containerName, expiresOn, permissions},
      this.#credential,
    ).toString()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#temp[Symbol.asyncDispose]()
  }
}

export interface OriginalBlob {
  readonly name: string
  readonly size: number
  readonly metadata: Readonly<Record<string, string>>
}

/** Puts blobs as pypicloud left them into the container `c-FIXTURE`, with other bytes of the same size. */
export async function loadOriginal(
  azure: AzureContainers,
  fixture: 'default' | 'prefix',
): Promise<readonly OriginalBlob[]> {
  const {blobs} = JSON.parse(await readFile(join(fixtures, 'azure', `${fixture}.json`), 'utf8')) as {
    blobs: OriginalBlob[]
  }
  const container = azure.container(`c-${fixture}`)
  await container.create()
  for (const {name, size, metadata} of blobs) {
    await container.getBlockBlobClient(name).upload(Buffer.alloc(size, name), size, {metadata})
  }
  return blobs
}
