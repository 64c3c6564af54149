/**
 * What no rebuild of a bucket can do without: the listing, and with `heads` the metadata of every object by 64 requests at once.
 * `node bare-list.js ENDPOINT BUCKET KEY SECRET [heads]` prints the seconds of its requests, without its own start.
 */
import {HeadObjectCommand, ListObjectsV2Command, S3Client} from '@aws-sdk/client-s3'
import {NodeHttpHandler} from '@smithy/node-http-handler'
import {Agent} from 'node:http'

const [, , endpoint = '', Bucket = '', accessKeyId = '', secretAccessKey = '', heads] = process.argv
const atOnce = 64
const client = new S3Client({
  endpoint,
  region: 'us-east-1',
  forcePathStyle: true,
  credentials: {accessKeyId, secretAccessKey},
  requestHandler: new NodeHttpHandler({httpAgent: new Agent({keepAlive: true, maxSockets: atOnce})}),
})

const start = performance.now()
const keys: string[] = []
let ContinuationToken: string | undefined
do {
  const page = await client.send(new ListObjectsV2Command({Bucket, ContinuationToken}))
  for (const {Key} of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
  ContinuationToken = page.NextContinuationToken
} while (ContinuationToken !== undefined)
if (heads !== undefined) {
  const ask = async () => {
    for (let Key = keys.pop(); Key !== undefined; Key = keys.pop()) {
      await client.send(new HeadObjectCommand({Bucket, Key}))
    }
  }
  await Promise.all(Array.from({length: atOnce}, ask))
}
process.stdout.write(String((performance.now() - start) / 1000))
