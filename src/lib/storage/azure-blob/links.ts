import {
  BlobSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
  type BlobClient,
  type BlobSASSignatureValues,
  type UserDelegationKey,
} from '@azure/storage-blob'
import type {AzureAccount} from './account.js'
import {withRetries} from './retry.js'

/** Milliseconds. The service gives keys of seven days at most. */
const keyLife = 7 * 86_400_000
const oldEnough = 3_600_000
/** A clock that runs ahead must not ask for a key of the future. */
const clockError = 15 * 60_000

/** Of the way links are signed: emulators and private clouds learn new ones years after the SDK. */
const signatureVersion = '2022-11-02'

interface DelegationKey {
  readonly key: UserDelegationKey
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly until: number
}

/**
 * Links that let their bearer read one blob for a while, signed with the account's key, or with a key that the service
 * gives to an identity ("user delegation": it needs the right of the role Storage Blob Delegator). A SAS token signs nothing,
 * and handing it out would give away the container.
 */
export class AzureLinks {
  readonly #account: AzureAccount
  #delegation: Promise<DelegationKey> | undefined

  constructor(account: AzureAccount) {
    this.#account = account
  }

  /** A link of an identity ends with its key, after seven days. */
  async sign(blob: BlobClient, seconds: number): Promise<URL> {
    const isSecure = blob.url.startsWith('https:')
    const until = Date.now() + seconds * 1000
    const values: Omit<BlobSASSignatureValues, 'expiresOn'> = {
      containerName: blob.containerName,
      blobName: blob.name,
      version: signatureVersion,
      permissions: BlobSASPermissions.from({read: true}),
      protocol: isSecure ? SASProtocol.Https : SASProtocol.HttpsAndHttp, // an emulator
    }
    const {credential} = this.#account.service
    const signed =
      credential instanceof StorageSharedKeyCredential
        ? generateBlobSASQueryParameters({...values, expiresOn: new Date(until)}, credential)
        : await this.#delegated(values, until)
    return new URL(`${blob.url}?${signed.toString()}`)
  }

  async #delegated(values: Omit<BlobSASSignatureValues, 'expiresOn'>, until: number) {
    const {key, until: end} = await this.#keyFor(until)
    const expiresOn = new Date(Math.min(until, end))
    return generateBlobSASQueryParameters({...values, expiresOn}, key, this.#account.name)
  }

  async #keyFor(until: number): Promise<DelegationKey> {
    const asked = this.#delegation
    const known = await asked?.catch(() => undefined)
    const now = Date.now()
    if (known && (known.until >= until || (now - known.from < oldEnough && known.until > now))) return known
    // of those that have waited for the same key, the first asks for another
    if (this.#delegation === undefined || this.#delegation === asked) this.#delegation = this.#ask(now)
    return this.#delegation
  }

  async #ask(now: number): Promise<DelegationKey> {
    const until = now + keyLife - clockError
    const key = await withRetries(({abortSignal}) =>
      this.#account.service.getUserDelegationKey(new Date(now - clockError), new Date(until), {abortSignal}),
    )
    return {key, from: now, until}
  }
}
