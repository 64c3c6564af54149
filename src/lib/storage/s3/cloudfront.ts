import type {KeyObject} from 'node:crypto'
import {createPrivateKey, sign} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {promisify} from 'node:util'
import type {Config} from '../../config/config.js'
import {cloudFrontStorageFields} from '../../config/schema/storage.js'
import {linkRules} from './links.js'
import {problem, readS3Settings} from './settings.js'
import {encodeKey} from './sign-url.js'
import {openS3Store} from './s3.js'
import type {ObjectStore, StorageLinks} from '../storage.js'

const signInThread = promisify(sign)

/** `pypi.storage = cloudfront`: an S3 storage whose links lead to a CloudFront distribution in front of the bucket. */
export function openCloudFrontStore(config: Config): Promise<ObjectStore> {
  const links = cloudFrontLinks(config) // a bad key is found before anything is asked
  return openS3Store(config, () => links)
}

/** @throws {ConfigError} when there is no key in what the config names. */
export function cloudFrontLinks(config: Config, now: () => number = Date.now): StorageLinks {
  const {domain, keyId} = config.read(cloudFrontStorageFields)
  const key = keyId === undefined ? undefined : readKey(config)
  return {
    ...linkRules(config, readS3Settings(config)),
    async urlOf(objectKey, seconds) {
      const url = `${domain.replace(/\/+$/, '')}/${encodeKey(objectKey)}`
      if (key === undefined || keyId === undefined) return new URL(url)
      const expires = Math.floor(now() / 1000 + seconds)
      const signature = await signInThread('RSA-SHA1', Buffer.from(policyOf(url, expires)), key)
      return new URL(`${url}?Expires=${expires}&Signature=${urlSafe(signature)}&Key-Pair-Id=${keyId}`)
    },
  }
}

/** CloudFront's canned policy, in exactly this form. */
const policyOf = (url: string, expires: number): string =>
  `{"Statement":[{"Resource":"${url}","Condition":{"DateLessThan":{"AWS:EpochTime":${expires}}}}]}`

const urlSafe = (signature: Buffer): string =>
  signature.toString('base64').replaceAll('+', '-').replaceAll('=', '_').replaceAll('/', '~')

function readKey(config: Config): KeyObject {
  const {keyString, keyFile} = config.read(cloudFrontStorageFields)
  const setting = keyString === undefined ? 'storage.cloud_front_key_file' : 'storage.cloud_front_key_string'
  let pem: string
  try {
    pem = keyString?.replaceAll('\\n', '\n') ?? readFileSync(keyFile ?? '', 'utf8')
  } catch (error) {
    throw problem(config, setting, `${keyFile ?? ''} can't be read`, error)
  }
  try {
    return createPrivateKey(pem)
  } catch (error) {
    throw problem(
      config,
      setting,
      `${keyString === undefined ? `${keyFile ?? ''} holds` : 'holds'} no private key in PEM`,
      error,
    )
  }
}
