import type {S3Place} from './place.js'
import {askQuickly} from './quick-request.js'

/** Of what is not there: succeeds. @throws what the SDK throws. */
export async function deleteObject(place: S3Place, key: string): Promise<void> {
  const answer = await askQuickly(place, {method: 'DELETE', key})
  answer?.body.resume()
  if (answer?.statusCode === 204 || answer?.statusCode === 200) return
  const {client, DeleteObjectCommand} = await place.api.sdk()
  await client.send(new DeleteObjectCommand({Bucket: place.bucket, Key: key}))
}
