/*
 * What services say when an object was written or removed. Only which object it is counts; in which words it came, and what
 * happened, is for the log.
 */

/** One thing in an event. */
export type Sighting =
  | {readonly kind: 'object'; readonly bucket: string; readonly key: string; readonly event: string}
  /** About something else: a test event, another service's message. */
  | {readonly kind: 'other'; readonly reason: string}
  /** Damaged: what it was about can't be told. */
  | {readonly kind: 'unreadable'; readonly reason: string}

/** How deeply services wrap each other's messages: EventBridge or S3 in SNS in SQS. */
const deepest = 5

/** All that one event of AWS Lambda, or one body that was posted, tells. Never throws. */
export function readEvent(event: unknown, depth = 0): Sighting[] {
  if (depth > deepest) return [unreadable('is wrapped too deeply')]
  if (Array.isArray(event)) return event.flatMap(each => readEvent(each, depth + 1))
  if (!isRecord(event)) return [unreadable('is no JSON object')]
  if (Array.isArray(event['Records'])) return event['Records'].flatMap(each => readRecord(each, depth + 1))
  if (event['Event'] === 's3:TestEvent') return [other('is the test of a notification')]
  if (event['source'] === 'aws.s3') return [fromEventBridge(event)]
  // SNS that was not asked for raw delivery
  if (event['Type'] === 'Notification') return readText(event['Message'], depth + 1)
  // what Lambda puts into a queue of events that failed
  if (isRecord(event['requestContext']) && 'requestPayload' in event) {
    return readEvent(event['requestPayload'], depth + 1)
  }
  if (isRecord(event['message']) && 'subscription' in event) return fromPubSub(event['message'])
  if (event['kind'] === 'storage#object') return [sighting(event['bucket'], event['name'], 'notification')]
  if (typeof event['subject'] === 'string') return [fromEventGrid(event, event['subject'])]
  return [other('is of a kind that is not known')]
}

/** JSON in a message. */
export function readText(text: unknown, depth = 0): Sighting[] {
  if (typeof text !== 'string') return [unreadable('has no text')]
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return [unreadable('is no JSON')]
  }
  return readEvent(value, depth)
}

function readRecord(record: unknown, depth: number): Sighting[] {
  if (!isRecord(record)) return [unreadable('is no record')]
  if (isRecord(record['Sns'])) return readText(record['Sns']['Message'], depth)
  if (record['eventSource'] === 'aws:sqs') return readText(record['body'], depth)
  const {s3} = record
  if (!isRecord(s3)) return [other('is a record of another service')]
  const [bucket, object] = [s3['bucket'], s3['object']]
  if (!isRecord(bucket) || !isRecord(object)) return [unreadable('names no object')]
  const key = typeof object['key'] === 'string' ? decodeKey(object['key']) : undefined
  return [sighting(bucket['name'], key, record['eventName'])]
}

/** Keys are not encoded here. */
function fromEventBridge({detail, 'detail-type': type}: Record<string, unknown>): Sighting {
  if (!isRecord(detail) || !isRecord(detail['bucket']) || !isRecord(detail['object'])) {
    return unreadable('names no object')
  }
  return sighting(detail['bucket']['name'], detail['object']['key'], type)
}

/** Google Cloud Storage by a push subscription: the attributes name the object, `data` describes it. */
function fromPubSub({attributes, data}: Record<string, unknown>): Sighting[] {
  if (isRecord(attributes) && 'objectId' in attributes) {
    return [sighting(attributes['bucketId'], attributes['objectId'], attributes['eventType'])]
  }
  if (typeof data !== 'string') return [other('is a message about no object')]
  return readText(Buffer.from(data, 'base64').toString('utf8'))
}

/** Azure, in Event Grid's own schema or as a CloudEvent: `/blobServices/default/containers/NAME/blobs/KEY`. */
function fromEventGrid(event: Record<string, unknown>, subject: string): Sighting {
  const [, container, key] = /^\/blobServices\/[^/]+\/containers\/([^/]+)\/blobs\/(.+)$/s.exec(subject) ?? []
  if (container === undefined) return other('is an event about no blob')
  return sighting(container, key, event['eventType'] ?? event['type'])
}

function sighting(bucket: unknown, key: unknown, event: unknown): Sighting {
  if (typeof bucket !== 'string' || typeof key !== 'string' || bucket === '' || key === '') {
    return unreadable('names no object')
  }
  return {kind: 'object', bucket, key, event: typeof event === 'string' ? event : 'unknown'}
}

/** As forms encode it. A key that can't have been encoded stands for itself. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return key
  }
}

const other = (reason: string): Sighting => ({kind: 'other', reason})
const unreadable = (reason: string): Sighting => ({kind: 'unreadable', reason})
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
