import {StorageFailed} from '../../errors.js'
import {bucketPath, type GcsApi, type RetryOptions} from './api.js'
import {gcsFailure, hasStatus} from './errors.js'

export interface NewBucket {
  /** `EU`; the service's own choice is the United States. */
  readonly location: string | undefined
  readonly projectId: () => Promise<string | undefined>
  /** What a failure is blamed on: `server.ini:12: storage.bucket`. */
  readonly places: {readonly bucket: string; readonly service: string}
}

/** Who starts a server or asks for its health does not want to wait long. */
const patience: RetryOptions = {attempts: 5, withinSeconds: 10}

/**
 * Whether objects can be listed. Asking for the bucket itself would need a right that accounts for objects lack.
 * @throws {GcsRefusal} with 404 where there is no such bucket.
 */
export async function checkBucket(api: GcsApi, bucket: string): Promise<void> {
  const query = {maxResults: '1', fields: 'kind'}
  await api.json({method: 'GET', path: `${bucketPath(bucket)}/o`, query}, patience)
}

/** As pypicloud: a bucket that is missing is made. */
export async function ensureBucket(api: GcsApi, bucket: string, options: NewBucket): Promise<void> {
  const {places} = options
  try {
    await checkBucket(api, bucket)
    return
  } catch (error) {
    if (!hasStatus(error, 404)) {
      const place = hasStatus(error, 403) || hasStatus(error, 400) ? places.bucket : places.service
      throw gcsFailure(error, `${place}: gs://${bucket} at ${api.root} can't be used`)
    }
  }
  await createBucket(api, bucket, options)
}

async function createBucket(api: GcsApi, bucket: string, options: NewBucket): Promise<void> {
  const {bucket: place} = options.places
  const project = await options.projectId()
  if (project === undefined && api.root.startsWith('https:')) {
    throw new StorageFailed(`${place}: there is no bucket ${bucket}, and no project to make it in`, {
      hint: 'Make the bucket, or name the project with storage.gcp_project_id.',
    })
  }
  const {location} = options
  try {
    await api.json(
      {
        method: 'POST',
        path: '/storage/v1/b',
        query: {project: project ?? 'emulated'},
        headers: {'content-type': 'application/json; charset=UTF-8'},
        body: [Buffer.from(JSON.stringify({name: bucket, ...(location === undefined ? {} : {location})}))],
      },
      patience,
    )
  } catch (error) {
    if (hasStatus(error, 409)) {
      await afterRace(api, bucket, place)
      return
    }
    throw gcsFailure(
      error,
      `${place}: there is no bucket ${bucket}, and it can't be made in storage.region_name = ${location ?? 'US'} of storage.gcp_project_id = ${project ?? 'none'}`,
    )
  }
}

/** Another process has made it in the same moment, or it is somebody else's. */
async function afterRace(api: GcsApi, bucket: string, place: string): Promise<void> {
  try {
    await checkBucket(api, bucket)
  } catch (error) {
    throw gcsFailure(error, `${place}: the bucket ${bucket} can't be used`)
  }
}
