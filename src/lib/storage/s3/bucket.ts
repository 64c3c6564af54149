import {setTimeout as sleep} from 'node:timers/promises'
import {CreateBucketCommand, HeadBucketCommand, ListObjectsV2Command, type S3Client} from '@aws-sdk/client-s3'
import {StorageFailed, Unavailable} from '../../errors.js'
import {firstRegion, s3Client} from './client.js'
import {findCredentials} from './credentials.js'
import {isBucketMissing, isUnexplained, otherRegion, s3Failure, wrongRegion} from './errors.js'
import type {S3Place} from './place.js'
import type {S3Settings} from './settings.js'

/**
 * Finds the bucket, in whatever region it is unless the config names one, or makes it.
 * @throws {StorageFailed} @throws {Unavailable}
 */
export async function openBucket(settings: S3Settings): Promise<S3Place> {
  const {bucket, prefix, regionName} = settings.values
  const name = `s3://${bucket}/${prefix}`
  let region = await firstRegion(settings)
  let client = s3Client(settings, region)
  try {
    await findCredentials(client, `${name} can't be opened`)
    try {
      await findOrMake(client, settings, region)
    } catch (error) {
      const found = otherRegion(error)
      if (found === undefined || found === region) throw error
      if (regionName !== undefined)
        throw new StorageFailed(`${name}: ${wrongRegion(found, settings)}`, {cause: error})
      client.destroy()
      region = found
      client = s3Client(settings, region)
      await findOrMake(client, settings, region)
    }
    return {name, client, bucket, region, settings}
  } catch (error) {
    client.destroy()
    throw s3Failure(error, `${name} can't be opened`, settings)
  }
}

/** @throws when the bucket can't be used now. */
export async function checkBucket({client, bucket, name, settings}: S3Place): Promise<void> {
  try {
    await headBucket(client, bucket)
  } catch (error) {
    const failure = s3Failure(error, name, settings)
    throw isBucketMissing(error)
      ? new Unavailable(`${name}: there is no such bucket`, {cause: error})
      : failure
  }
}

async function findOrMake(client: S3Client, settings: S3Settings, region: string): Promise<void> {
  const {bucket} = settings.values
  try {
    await headBucket(client, bucket)
  } catch (error) {
    if (!isBucketMissing(error)) throw error
    await makeBucket(client, settings, region)
    await untilThere(client, bucket)
  }
}

/** HEAD, and where that is refused without a word, a listing, which gives the reason or works. */
async function headBucket(client: S3Client, bucket: string): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({Bucket: bucket}))
  } catch (error) {
    if (!isUnexplained(error)) throw error
    if (otherRegion(error) !== undefined) throw error
    await client.send(new ListObjectsV2Command({Bucket: bucket, MaxKeys: 1}))
  }
}

async function makeBucket(client: S3Client, settings: S3Settings, region: string): Promise<void> {
  const {bucket} = settings.values
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

async function untilThere(client: S3Client, bucket: string): Promise<void> {
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
