import type {Config} from '../../config/config.js'
import {s3Failure} from './errors.js'
import type {S3Place} from './place.js'
import type {S3Settings} from './settings.js'
import {objectUrl} from './object-url.js'
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
        const signer = await place.api.credentials()
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
