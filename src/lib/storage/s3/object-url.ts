import type {S3Settings} from './settings.js'
import {encodeKey} from './sign-url.js'

/**
 * Where an object is, in the forms of boto:
 * ```
 * https://BUCKET.s3.amazonaws.com/KEY              AWS
 * https://s3.REGION.amazonaws.com/BUCKET/KEY       AWS, path style or a bucket whose name no certificate covers
 * https://BUCKET.s3-accelerate.amazonaws.com/KEY   AWS, accelerated
 * http://HOST/BUCKET/KEY   http://BUCKET.HOST/KEY  another service
 * ```
 * @param isRegional the host of the bucket's region rather than that of all regions, which may redirect.
 */
export function objectUrl(settings: S3Settings, region: string, key: string, isRegional = false): URL {
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
  const host = values.useAccelerateEndpoint
    ? 's3-accelerate'
    : isRegional || isPartition
      ? `s3.${region}`
      : 's3'
  return new URL(`${scheme}://${values.bucket}.${host}.${domain}/${path}`)
}

/** Of a URL, what requests are made and signed of: for one per object, that is a tenth of the work of a URL. */
export type Address = Readonly<Pick<URL, 'protocol' | 'hostname' | 'host' | 'port' | 'pathname' | 'search'>>

/** Where the objects of a bucket are; its path ends with `/`. */
export function bucketAddress(settings: S3Settings, region: string): Address {
  const {protocol, hostname, host, port, pathname, search} = objectUrl(settings, region, '', true)
  return {protocol, hostname, host, port, pathname, search}
}
