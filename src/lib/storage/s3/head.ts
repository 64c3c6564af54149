import {HeadObjectCommand, NotFound, type HeadObjectCommandOutput} from '@aws-sdk/client-s3'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Readable} from 'node:stream'
import {objectUrl} from './object-url.js'
import type {S3Place} from './place.js'
import {signUrl} from './sign-url.js'

export type Head = Pick<HeadObjectCommandOutput, 'ContentLength' | 'LastModified' | 'ETag' | 'Metadata'>

const metadataPrefix = 'x-amz-meta-'

/**
 * What HEAD answers. A listing asks it of every object, so that the usual answers come by a request that only borrows the
 * SDK's credentials and connections, for a fifth of the CPU. After any other answer the SDK asks again: it tries several
 * times, and knows what to say.
 * @throws what the SDK throws.
 */
export async function head(place: S3Place, key: string): Promise<Head> {
  const answer = await ask(place, key).catch(() => undefined)
  if (answer?.statusCode === 200) return parse(answer.headers)
  if (answer?.statusCode === 404) throw new NotFound({message: 'Not Found', $metadata: {httpStatusCode: 404}})
  if (answer !== undefined && answer.statusCode >= 500) await sleep(100 + Math.random() * 300)
  return place.client.send(new HeadObjectCommand({Bucket: place.bucket, Key: key}))
}

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
}

async function ask({client, settings, region}: S3Place, key: string): Promise<Answer> {
  const signer = await client.config.credentials()
  const url = signUrl(objectUrl(settings, region, key, true), signer, region, 300, {method: 'HEAD'})
  const {response} = (await client.config.requestHandler.handle({
    method: 'HEAD',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port !== '' && {port: Number(url.port)}),
    path: url.pathname + url.search,
    query: {},
    headers: {host: url.host},
  })) as {response: Answer & {readonly body: Readable}}
  response.body.resume() // has no bytes, but frees the connection
  return response
}

const parse = (headers: Answer['headers']): Head => ({
  ContentLength: Number(headers['content-length']),
  LastModified: new Date(headers['last-modified'] ?? 0),
  ETag: headers['etag'],
  Metadata: Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith(metadataPrefix))
      .map(([name, value]) => [name.slice(metadataPrefix.length), value]),
  ),
})
