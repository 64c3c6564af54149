import {randomBytes} from 'node:crypto'
import {deleteObject} from './delete.js'
import {findObject, probeName, type S3Place} from './place.js'

/** Whether both are one bucket and the keys of one can be keys of the other. */
export async function overlap(one: S3Place, other: S3Place): Promise<boolean> {
  const [a, b] = [one.settings.values.prefix, other.settings.values.prefix]
  if (one.bucket !== other.bucket || !(a.startsWith(b) || b.startsWith(a))) return false
  return serviceOf(one) === serviceOf(other) || shareObjects(one, other)
}

/** The names of AWS's buckets are unique all over the world. */
export const serviceOf = ({settings: {endpoint}}: S3Place): string => endpoint?.host.toLowerCase() ?? 'AWS'

/** One service may be spelt in many ways: what is put here and found there tells. */
async function shareObjects(one: S3Place, other: S3Place): Promise<boolean> {
  const Key = `${one.settings.values.prefix}${probeName}-${randomBytes(6).toString('hex')}`
  try {
    const {client, PutObjectCommand} = await one.api.sdk()
    await client.send(new PutObjectCommand({Bucket: one.bucket, Key, Body: Buffer.from('probe')}))
  } catch {
    return true // nobody may write here: rather refuse than lose
  }
  try {
    return (await findObject(other, Key)) !== undefined
  } finally {
    await deleteObject(one, Key)
  }
}
