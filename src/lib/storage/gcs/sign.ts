import {createHash, sign as signWith, type KeyObject} from 'node:crypto'
import {promisify} from 'node:util'
import {LRUCache} from 'lru-cache'
import pLimit from 'p-limit'
import {GcsApi, type GcsIdentity} from './api.js'
import {gcsFailure} from './errors.js'
import type {StorageLinks} from '../storage.js'

/** The longest that version 4 of the signature permits: seven days. */
export const longestLinkSeconds = 604_800

/** Signs as a service account: RSA with SHA-256, PKCS #1 v1.5. */
export interface LinkSigner {
  readonly email: string
  /** Asks a service for each signature, so that they are worth keeping. */
  readonly remote: boolean
  sign(text: string): Promise<Buffer>
}

const signInPool = promisify<string, Buffer, KeyObject, Buffer>(signWith)

/** Signs here, with the private key of a service account. */
export const keySigner = (email: string, key: KeyObject): LinkSigner => ({
  email,
  remote: false,
  sign: text => signInPool('RSA-SHA256', Buffer.from(text), key),
})

/**
 * Lets the IAM service sign (`projects.serviceAccounts.signBlob`), which needs the role Service Account Token Creator.
 */
export function iamSigner(
  email: string,
  identity: GcsIdentity,
  service = 'https://iamcredentials.googleapis.com',
): LinkSigner {
  const api = new GcsApi(service, identity)
  const path = `/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:signBlob`
  const headers = {'content-type': 'application/json'}
  const limit = pLimit(16)
  return {
    email,
    remote: true,
    sign: text =>
      limit(async () => {
        const body = [Buffer.from(JSON.stringify({payload: Buffer.from(text).toString('base64')}))]
        try {
          const {signedBlob} = await api.json<{signedBlob: string}>({method: 'POST', path, headers, body})
          return Buffer.from(signedBlob, 'base64')
        } catch (error) {
          throw gcsFailure(
            error,
            `a link could not be signed as ${email} (storage.iam_signer_service_account_email)`,
          )
        }
      }),
  }
}

export interface SignRequest {
  /** `https://storage.googleapis.com` */
  readonly origin: string
  readonly bucket: string
  readonly key: string
  /** Cut to `longestLinkSeconds`. */
  readonly seconds: number
  readonly now: Date
}

/** A link that lets everybody GET one object (cloud.google.com/storage/docs/authentication/signatures, version 4). */
export async function signedUrl(signer: LinkSigner, request: SignRequest): Promise<URL> {
  const {host} = new URL(request.origin)
  const path = `/${[request.bucket, ...request.key.split('/')].map(encodeStrictly).join('/')}`
  const time = request.now.toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/auto/storage/goog4_request`
  const query = [
    ['X-Goog-Algorithm', 'GOOG4-RSA-SHA256'],
    ['X-Goog-Credential', `${signer.email}/${scope}`],
    ['X-Goog-Date', time],
    ['X-Goog-Expires', String(Math.max(1, Math.min(request.seconds, longestLinkSeconds)))],
    ['X-Goog-SignedHeaders', 'host'],
  ]
    .map(([name = '', value = '']) => `${name}=${encodeStrictly(value)}`)
    .join('&')
  const canonical = ['GET', path, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const digest = createHash('sha256').update(canonical).digest('hex')
  const signature = await signer.sign(['GOOG4-RSA-SHA256', time, scope, digest].join('\n'))
  return new URL(`${request.origin}${path}?${query}&X-Goog-Signature=${signature.toString('hex')}`)
}

/** RFC 3986: encodeURIComponent leaves `!'()*` as they are, the signature does not. */
const encodeStrictly = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** How long a link that a service signed is handed out again. It is signed for that much longer. */
const keptSeconds = 300

export interface LinkOptions {
  readonly origin: string
  readonly bucket: string
  readonly inPages: boolean
  readonly expireAfterSeconds?: number
}

export class GcsLinks implements StorageLinks {
  readonly inPages: boolean
  readonly expireAfterSeconds?: number
  readonly #signer: LinkSigner
  readonly #options: LinkOptions
  readonly #kept = new LRUCache<string, Promise<URL>>({max: 20_000, ttl: keptSeconds * 1000})

  constructor(signer: LinkSigner, options: LinkOptions) {
    this.inPages = options.inPages
    if (options.expireAfterSeconds !== undefined) {
      this.expireAfterSeconds = Math.min(options.expireAfterSeconds, longestLinkSeconds)
    }
    this.#signer = signer
    this.#options = options
  }

  urlOf(key: string, seconds: number): Promise<URL> {
    if (!this.#signer.remote) return this.#sign(key, seconds)
    const name = `${seconds} ${key}`
    let link = this.#kept.get(name)
    if (link === undefined) {
      link = this.#sign(key, seconds + keptSeconds)
      this.#kept.set(name, link)
      link.catch(() => this.#kept.delete(name))
    }
    return link
  }

  #sign(key: string, seconds: number): Promise<URL> {
    const {origin, bucket} = this.#options
    return signedUrl(this.#signer, {origin, bucket, key, seconds, now: new Date()})
  }
}
