import {
  AnonymousCredential,
  BlobServiceClient,
  newPipeline,
  StorageSharedKeyCredential,
  type StoragePipelineOptions,
} from '@azure/storage-blob'
import type {Config} from '../../config/config.js'
import type {Values} from '../../config/fields.js'
import {ConfigError, formatProblem, type ConfigProblem} from '../../config/problems.js'
import type {azureStorageFields} from '../../config/schema/storage.js'
import type {AzureSettings} from './errors.js'

/** Where the containers are and by what right. */
export interface AzureAccount {
  readonly name: string
  readonly service: BlobServiceClient
  /** What links can be signed with: a token of somebody else's signs nothing. */
  readonly authentication: 'key' | 'token' | 'identity'
  readonly settings: AzureSettings
}

/**
 * Of the account key, else of a SAS token, else of the identity that the process has: environment, workload identity,
 * managed identity, the command line's login. Nothing is asked of the service yet.
 * @throws {ConfigError}
 */
export async function openAzureAccount(
  config: Config,
  values: Values<typeof azureStorageFields>,
): Promise<AzureAccount> {
  checkContainerName(config, values.containerName)
  const url = serviceUrl(config, values)
  const tokenOfUrl = url.search.slice(1)
  url.search = ''
  const sas = values.sasToken?.replace(/^\?/, '') ?? (tokenOfUrl === '' ? undefined : tokenOfUrl)
  const settings = (credentials: string, more: Partial<AzureSettings> = {}): AzureSettings => ({
    ...more,
    credentials,
    address: named(
      config,
      values.accountUrl ? 'storage.storage_account_url' : 'storage.storage_account_name',
    ),
    container: named(config, 'storage.storage_container_name'),
  })
  const base = url.href.replace(/\/$/, '')
  if (values.accountKey !== undefined) {
    const credential = new StorageSharedKeyCredential(
      values.accountName,
      checkedKey(config, values.accountKey),
    )
    return {
      name: values.accountName,
      service: new BlobServiceClient(base, newPipeline(credential, pipelineOptions)),
      authentication: 'key',
      settings: settings(named(config, 'storage.storage_account_key')),
    }
  }
  if (sas !== undefined) {
    const tokenKey =
      values.sasToken === undefined ? 'storage.storage_account_url' : 'storage.storage_sas_token'
    if (!new URLSearchParams(sas).get('sig')) {
      throw problem(config, tokenKey, 'has no shared access signature: it would have a "sig=" in it')
    }
    return {
      name: values.accountName,
      service: new BlobServiceClient(
        `${base}?${sas}`,
        newPipeline(new AnonymousCredential(), pipelineOptions),
      ),
      authentication: 'token',
      settings: settings(named(config, tokenKey), {
        ...endOf(sas),
        advice: 'A token needs the rights to read, create, write, delete and list.',
      }),
    }
  }
  if (url.protocol !== 'https:') {
    throw problem(
      config,
      'storage.storage_account_url',
      'an identity is shown over https only: give an https address, storage.storage_account_key or storage.storage_sas_token',
    )
  }
  const {DefaultAzureCredential} = await import('@azure/identity')
  return {
    name: values.accountName,
    service: new BlobServiceClient(base, newPipeline(new DefaultAzureCredential(), pipelineOptions)),
    authentication: 'identity',
    settings: settings('the identity of this process', {
      advice: 'Give it the role Storage Blob Data Contributor on the container.',
    }),
  }
}

/** A token of a stored access policy need not tell. */
function endOf(sas: string): {expire?: Date} {
  const expire = new Date(new URLSearchParams(sas).get('se') ?? '')
  return Number.isNaN(expire.getTime()) ? {} : {expire}
}

/** Without a scheme it is https, as in pypicloud. */
function serviceUrl(config: Config, {accountName, accountUrl}: Values<typeof azureStorageFields>): URL {
  const text = accountUrl ?? `https://${accountName}.blob.core.windows.net`
  try {
    return new URL(/^https?:\/\//i.test(text) ? text : `https://${text}`)
  } catch (error) {
    const key = accountUrl === undefined ? 'storage.storage_account_name' : 'storage.storage_account_url'
    throw problem(config, key, 'gives no address of a service', error)
  }
}

/** The service would only say that it can't read the request. */
function checkContainerName(config: Config, name: string): void {
  const isUsual = name.length >= 3 && name.length <= 63 && /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)
  if (isUsual || /^\$(?:root|web|logs)$/.test(name)) return
  throw problem(
    config,
    'storage.storage_container_name',
    `expected 3 to 63 lower-case letters, digits and single hyphens, found "${name}"`,
  )
}

/** A key that is cut off or has something else's form would only be refused as a wrong one. */
function checkedKey(config: Config, key: string): string {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(key) && key.length % 4 === 0) return key
  throw problem(config, 'storage.storage_account_key', 'is not the Base64 text that the portal shows')
}

/** `server.ini:14: storage.prefix`, or the bare key where the file does not have it. */
function named(config: Config, key: string): string {
  const setting = config.settings.get(key)
  if (setting === undefined) return key
  return formatProblem({file: setting.source, line: setting.line, key, message: ''}).replace(/: $/, '')
}

function problem(config: Config, key: string, message: string, cause?: unknown): ConfigError {
  const setting = config.settings.get(key)
  const found: ConfigProblem = {file: setting?.source ?? config.file, line: setting?.line ?? 0, key, message}
  return new ConfigError([found], cause)
}

/** Retries are ours: retry.ts. */
const pipelineOptions = {
  retryOptions: {maxTries: 1},
  userAgentOptions: {userAgentPrefix: 'ppc-toolkit'},
} as const satisfies StoragePipelineOptions
