import {HeadObjectCommand, type HeadObjectCommandOutput} from '@aws-sdk/client-s3'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Readable} from 'node:stream'
import {objectUrl} from './object-url.js'
import type {S3Place} from './place.js'
import {signUrl} from './sign-url.js'

export type Head = Pick<HeadObjectCommandOutput, 'ContentLength' | 'LastModified' | 'ETag' | 'Metadata'>

const metadataPrefix = 'x-amz-meta-'

/**
 * What HEAD answers. A listing asks it of every object, so that the common answer comes by a request that only borrows the
 * SDK's credentials and connections, for a fifth of the CPU. After any other answer the SDK asks again: it tries several
 * times, and knows what to say.
 * @throws what the SDK throws.
 */
export async function head(place: S3Place, key: string): Promise<Head> {
  const quick = await quickHead(place, key).catch(() => undefined)
  return quick ?? place.client.send(new HeadObjectCommand({Bucket: place.bucket, Key: key}))
}

async function quickHead({client, settings, region}: S3Place, key: string): Promise<Head | undefined> {
  const signer = await client.config.credentials()
  const url = signUrl(objectUrl(settings, region, key, true), signer, region, 300, {method: 'HEAD'})
  const answer = (await client.config.requestHandler.handle({
    method: 'HEAD',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port !== '' && {port: Number(url.port)}),
    path: url.pathname + url.search,
    query: {},
    headers: {host: url.host},
  })) as {response: {statusCode: number; headers: Record<string, string>; body: Readable}}
  const {statusCode, headers, body} = answer.response
  body.resume() // has no bytes, but frees the connection
  if (statusCode >= 500) await sleep(100 + Math.random() * 300) // as between all attempts
  if (statusCode !== 200) return undefined
  return {
    ContentLength: Number(headers['content-length']),
    LastModified: new Date(headers['last-modified'] ?? 0),
    ETag: headers['etag'],
    Metadata: Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => name.startsWith(metadataPrefix))
        .map(([name, value]) => [name.slice(metadataPrefix.length), value]),
    ),
  }
}
