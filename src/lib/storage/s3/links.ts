import type {Config} from '../../config/config.js'
import {s3Failure} from './errors.js'
import type {S3Place} from './place.js'
import type {S3Settings} from './settings.js'
import {encodeKey, signUrl} from './sign-url.js'
import type {StorageLinks} from '../storage.js'

/** What the config says of links, whoever signs them. */
export function linkRules(config: Config, {values}: S3Settings): Omit<StorageLinks, 'urlOf'> {
  const isSet = config.settings.has('storage.expire_after')
  return {inPages: !values.redirectUrls, ...(isSet && {expireAfterSeconds: values.expireAfter})}
}

/** Signed with the credentials of the storage, or, with `storage.public_url`, not at all. */
export function s3Links(config: Config, place: S3Place): StorageLinks {
  const {settings} = place
  return {
    ...linkRules(config, settings),
    async urlOf(key, seconds) {
      if (settings.values.publicUrl) return publicUrl(settings, place.region, key)
      try {
        const signer = await place.client.config.credentials()
        return signUrl(objectUrl(settings, place.region, key), signer, place.region, seconds)
      } catch (error) {
        throw s3Failure(error, `${place.name}: no link to ${key} can be signed`, settings)
      }
    },
  }
}

/** As pypicloud has them at AWS. Its links ignore storage.endpoint_url, where the object really is. */
function publicUrl(settings: S3Settings, region: string, key: string): URL {
  if (settings.endpoint !== undefined) return objectUrl(settings, region, key)
  const {bucket, regionName} = settings.values
  const base =
    regionName === undefined ? `${bucket}.s3.amazonaws.com` : `s3.${regionName}.amazonaws.com/${bucket}`
  return new URL(`https://${base}/${encodeKey(key)}`)
}

/**
 * Where an object is, in the forms of boto:
 * ```
 * https://BUCKET.s3.amazonaws.com/KEY              AWS
 * https://s3.REGION.amazonaws.com/BUCKET/KEY       AWS, path style or a bucket whose name no certificate covers
 * https://BUCKET.s3-accelerate.amazonaws.com/KEY   AWS, accelerated
 * http://HOST/BUCKET/KEY   http://BUCKET.HOST/KEY  another service
 * ```
 */
function objectUrl(settings: S3Settings, region: string, key: string): URL {
  const {values, endpoint} = settings
  const path = encodeKey(key)
  const inHost = !settings.pathStyle && /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(values.bucket)
  if (endpoint !== undefined) {
    const base = endpoint.pathname.replace(/\/$/, '')
    return inHost
      ? new URL(`${endpoint.protocol}//${values.bucket}.${endpoint.host}${base}/${path}`)
      : new URL(`${endpoint.protocol}//${endpoint.host}${base}/${values.bucket}/${path}`)
  }
  const scheme = values.useSsl ? 'https' : 'http'
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const isDefault = region === 'us-east-1'
  // outside of AWS's main partition there is no host for all regions
  const isPartition = /^(?:cn|us-gov|us-iso\w*|eusc)-/.test(region)
  if (!inHost)
    return new URL(`${scheme}://${isDefault ? 's3' : `s3.${region}`}.${domain}/${values.bucket}/${path}`)
  const host = values.useAccelerateEndpoint ? 's3-accelerate' : isPartition ? `s3.${region}` : 's3'
  return new URL(`${scheme}://${values.bucket}.${host}.${domain}/${path}`)
}
