import {setTimeout as sleep} from 'node:timers/promises'
import {StorageFailed, Unavailable} from '../../errors.js'
import {S3Api} from './api.js'
import {findCredentials} from './credentials.js'
import {isBucketMissing, isUnexplained, otherRegion, s3Failure, wrongRegion} from './errors.js'
import type {S3Place} from './place.js'
import {askForLittle} from './quick-request.js'
import {firstRegion} from './region.js'
import type {S3Settings} from './settings.js'

/**
 * Finds the bucket, in whatever region it is unless the config names one, or makes it.
 * @throws {StorageFailed} @throws {Unavailable}
 */
export async function openBucket(settings: S3Settings): Promise<S3Place> {
  const {bucket, prefix, regionName} = settings.values
  const name = `s3://${bucket}/${prefix}`
  const placeIn = (region: string): S3Place => {
    return {name, api: new S3Api(settings, region), bucket, region, settings}
  }
  let place = placeIn(await firstRegion(settings))
  try {
    await findCredentials(place.api, `${name} can't be opened`)
    try {
      await findOrMake(place)
    } catch (error) {
      const found = otherRegion(error)
      if (found === undefined || found === place.region) throw error
      if (regionName !== undefined)
        throw new StorageFailed(`${name}: ${wrongRegion(found, settings)}`, {cause: error})
      place.api.destroy()
      place = placeIn(found)
      await findOrMake(place)
    }
    return place
  } catch (error) {
    place.api.destroy()
    throw s3Failure(error, `${name} can't be opened`, settings)
  }
}

/** @throws when the bucket can't be used now. */
export async function checkBucket(place: S3Place): Promise<void> {
  const {name, settings} = place
  try {
    await headBucket(place)
  } catch (error) {
    const failure = s3Failure(error, name, settings)
    throw isBucketMissing(error)
      ? new Unavailable(`${name}: there is no such bucket`, {cause: error})
      : failure
  }
}

async function findOrMake(place: S3Place): Promise<void> {
  try {
    await headBucket(place)
  } catch (error) {
    if (!isBucketMissing(error)) throw error
    await makeBucket(place)
    await untilThere(place)
  }
}

/** HEAD, and where that is refused without a word, a listing, which gives the reason or works. */
async function headBucket(place: S3Place): Promise<void> {
  const {bucket} = place
  const answer = await askForLittle(place, 'HEAD', '')
  if (answer?.statusCode === 200) return
  const {client, HeadBucketCommand, ListObjectsV2Command} = await place.api.sdk()
  try {
    await client.send(new HeadBucketCommand({Bucket: bucket}))
  } catch (error) {
    if (!isUnexplained(error)) throw error
    if (otherRegion(error) !== undefined) throw error
    await client.send(new ListObjectsV2Command({Bucket: bucket, MaxKeys: 1}))
  }
}

async function makeBucket({api, bucket, region, settings}: S3Place): Promise<void> {
  const {client, CreateBucketCommand} = await api.sdk()
  // AWS refuses its first region as a constraint
  const place = region === 'us-east-1' ? undefined : {LocationConstraint: region as 'eu-west-1'}
  try {
    await client.send(
      new CreateBucketCommand({Bucket: bucket, ...(place && {CreateBucketConfiguration: place})}),
    )
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    if (name === 'BucketAlreadyOwnedByYou') return // another process was first
    if (name === 'BucketAlreadyExists') {
      throw new StorageFailed(
        `${settings.place('storage.bucket')}: the bucket ${bucket} belongs to somebody else`,
        {
          cause: error,
        },
      )
    }
    throw s3Failure(
      error,
      `${settings.place('storage.bucket')}: there is no bucket ${bucket}, and it can't be made`,
      settings,
    )
  }
}

async function untilThere({api, bucket}: S3Place): Promise<void> {
  const {client, HeadBucketCommand} = await api.sdk()
  for (let attempt = 0; ; attempt += 1) {
    try {
      await client.send(new HeadBucketCommand({Bucket: bucket}))
      return
    } catch (error) {
      if (!isBucketMissing(error) || attempt === 40) throw error
      await sleep(500)
    }
  }
}
