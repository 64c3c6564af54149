import {createPrivateKey, type KeyObject} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {Storage} from '@google-cloud/storage'
import type {Config} from '../../config/config.js'
import type {Values} from '../../config/fields.js'
import {gcsStorageFields} from '../../config/schema/storage.js'
import {StorageFailed, Unavailable} from '../../errors.js'
import {errorCode, systemReason} from '../file/errors.js'
import type {GcsIdentity} from './api.js'
import {networkReason, proxyReason} from './errors.js'
import {iamSigner, keySigner, type LinkSigner} from './sign.js'

type GcsValues = Values<typeof gcsStorageFields>

/** Who the service is asked as, and what signs links. */
export interface GcsCredentials extends GcsIdentity {
  /** `https://storage.googleapis.com`: the config's, or that of the credentials' universe. */
  readonly root: string
  /** Where links lead: never to a private endpoint, which clients may not reach. */
  readonly linkOrigin: string
  /** Absent where nothing can sign: credentials without a private key, and no IAM signer. */
  readonly signer?: LinkSigner
  /** What a missing bucket is created in. */
  readonly projectId: () => Promise<string | undefined>
}

/** What a JSON key file may hold. Other kinds than service accounts have no private key. */
interface KeyFile {
  readonly type?: unknown
  readonly client_email?: unknown
  readonly private_key?: unknown
  readonly project_id?: unknown
}

/**
 * The key file of the config, else the default credentials of the environment. A service over plain http is an emulator:
 * it gets no credentials.
 * @throws {StorageFailed} naming the key and the file.
 */
export async function openCredentials(config: Config, values: GcsValues): Promise<GcsCredentials> {
  const {serviceAccountFile, apiEndpoint, useIamSigner, iamSignerEmail} = values
  const place = placeOf(config, 'storage.gcp_service_account_json_filename', 'GOOGLE_APPLICATION_CREDENTIALS')
  const keyFile = serviceAccountFile === undefined ? undefined : await readKeyFile(serviceAccountFile, place)
  const emulated = apiEndpoint?.startsWith('http:') ?? false
  const storage = new Storage({
    ...(serviceAccountFile === undefined ? {} : {keyFilename: serviceAccountFile}),
    ...(values.projectId === undefined ? {} : {projectId: values.projectId}),
  })
  const who =
    serviceAccountFile === undefined ? 'the default credentials' : `the credentials of ${serviceAccountFile}`
  const bearer = async () => {
    try {
      return await storage.authClient.getRequestHeaders()
    } catch (error) {
      throw credentialFailure(error, place, who)
    }
  }
  const email = async () =>
    iamSignerEmail ?? keyFile?.email ?? (await storage.authClient.getCredentials()).client_email
  const identity = {
    who: serviceAccountFile === undefined ? 'the default credentials' : place,
    authorize: emulated ? () => Promise.resolve({}) : bearer,
  }
  const signer = useIamSigner
    ? await openIamSigner(config, email, {...identity, authorize: bearer})
    : keyFile?.signer
  const root = (apiEndpoint ?? storage.apiEndpoint).replace(/\/+$/, '')
  return {
    root,
    linkOrigin: apiEndpoint === undefined || emulated ? root : 'https://storage.googleapis.com',
    ...identity,
    ...(signer ? {signer} : {}),
    projectId: async () =>
      values.projectId ??
      keyFile?.projectId ??
      (emulated ? undefined : await storage.authClient.getProjectId().catch(() => undefined)),
  }
}

async function openIamSigner(
  config: Config,
  findEmail: () => Promise<string | undefined>,
  identity: GcsIdentity,
): Promise<LinkSigner> {
  const email = await findEmail().catch(() => undefined)
  if (email === undefined) {
    throw new StorageFailed(
      `${placeOf(config, 'storage.gcp_use_iam_signer')}: needs storage.iam_signer_service_account_email: the credentials name no service account`,
    )
  }
  return iamSigner(email, identity)
}

async function readKeyFile(
  path: string,
  place: string,
): Promise<{email: string | undefined; projectId: string | undefined; signer: LinkSigner | undefined}> {
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? 'there is no such file' : systemReason(error)
    throw new StorageFailed(`${place}: the file ${path} can't be read: ${reason}`, {cause: error})
  }
  const key = parseKeyFile(content)
  if (typeof key?.type !== 'string') {
    throw new StorageFailed(`${place}: the file ${path} is not a JSON key file of Google Cloud`, {
      hint: 'Create a key of the service account as JSON and name that file.',
    })
  }
  const email = textOf(key.client_email)
  let signer: LinkSigner | undefined
  if (key.type === 'service_account') {
    const privateKey = parsePrivateKey(key.private_key)
    if (email === undefined || privateKey === undefined) {
      const lacking = email === undefined ? 'client_email' : 'private_key in PEM'
      throw new StorageFailed(`${place}: the file ${path} has no ${lacking}`)
    }
    signer = keySigner(email, privateKey)
  }
  return {email, projectId: textOf(key.project_id), signer}
}

function parseKeyFile(content: string): KeyFile | undefined {
  try {
    return (JSON.parse(content) ?? undefined) as KeyFile | undefined
  } catch {
    return undefined // a message of JSON.parse would quote the secret
  }
}

function parsePrivateKey(pem: unknown): KeyObject | undefined {
  if (typeof pem !== 'string') return undefined
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** @returns an error of the network as it is, so that the request is tried again. */
function credentialFailure(error: unknown, place: string, who: string): unknown {
  const {message, status} = error as {readonly message: string; readonly status?: unknown}
  if (/could not load the default credentials/i.test(message)) {
    return new StorageFailed(`${place}: found neither a key file nor default credentials of Google Cloud`, {
      cause: error,
      hint: 'Name the JSON key file of a service account, or run where one is attached.',
    })
  }
  if (status === 407) {
    return new StorageFailed(`${place}: no token for ${who}: ${proxyReason}`, {cause: error})
  }
  const hasAnswer = typeof status === 'number'
  const said = message.split('\n')[0] || (hasAnswer ? `status ${status}` : 'no reason is given')
  const reason = networkReason(error) ?? said
  if (hasAnswer ? status >= 500 : errorCode(error) !== undefined) {
    return new Unavailable(`${place}: no token for ${who} now: ${reason}`, {cause: error})
  }
  return new StorageFailed(`${place}: Google does not accept ${who}: ${reason}`, {
    cause: error,
    hint: 'The key may be deleted or disabled, or the clock of this host wrong.',
  })
}

/** `server.ini:12: storage.bucket`, or the variable that stands in for the key. */
export function placeOf(config: Config, key: string, variable?: string): string {
  const setting = config.settings.get(key)
  if (setting !== undefined) {
    return `${setting.source}${setting.line > 0 ? `:${setting.line}` : ''}: ${key}`
  }
  return variable !== undefined && process.env[variable] ? variable : `${config.file}: ${key}`
}
