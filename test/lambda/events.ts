/** Events in the shapes that AWS documents, with what of them is not about the object left as in the examples there. */

/** As S3 writes keys. */
const encode = (key: string): string => encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+')

export const s3Record = (bucket: string, key: string, eventName = 'ObjectCreated:Put') => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  awsRegion: 'us-east-1',
  eventTime: '2026-11-20T10:00:00.000Z',
  eventName,
  userIdentity: {principalId: 'AWS:AIDAEXAMPLE'},
  requestParameters: {sourceIPAddress: '192.0.2.1'},
  responseElements: {'x-amz-request-id': 'C3D13FE58DE4C810', 'x-amz-id-2': 'example'},
  s3: {
    s3SchemaVersion: '1.0',
    configurationId: 'ppc',
    bucket: {name: bucket, ownerIdentity: {principalId: 'A3NL1KOZZKExample'}, arn: `arn:aws:s3:::${bucket}`},
    object: {
      key: encode(key),
      size: 1024,
      eTag: 'd41d8cd98f00b204e9800998ecf8427e',
      sequencer: '0055AED6DCD90281E5',
    },
  },
})

export const s3Event = (...records: readonly unknown[]) => ({Records: records})

export const snsEvent = (message: unknown) => ({
  Records: [
    {
      EventSource: 'aws:sns',
      EventVersion: '1.0',
      EventSubscriptionArn: 'arn:aws:sns:us-east-1:123456789012:topic:subscription',
      Sns: {
        Type: 'Notification',
        MessageId: '95df01b4-ee98-5cb9-9903-4c221d41eb5e',
        TopicArn: 'arn:aws:sns:us-east-1:123456789012:topic',
        Subject: 'Amazon S3 Notification',
        Message: JSON.stringify(message),
        Timestamp: '2026-11-20T10:00:00.000Z',
      },
    },
  ],
})

/** What SNS puts into a queue that did not ask for the bare message. */
export const snsEnvelope = (message: unknown) => ({
  Type: 'Notification',
  MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
  TopicArn: 'arn:aws:sns:us-east-1:123456789012:topic',
  Message: JSON.stringify(message),
  Timestamp: '2026-11-20T10:00:00.000Z',
  SignatureVersion: '1',
})

/** @param bodies by message id; text as it stands, anything else as JSON. */
export const sqsEvent = (bodies: Readonly<Record<string, unknown>>) => ({
  Records: Object.entries(bodies).map(([messageId, body]) => ({
    messageId,
    receiptHandle: 'AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: {ApproximateReceiveCount: '1'},
    messageAttributes: {},
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:queue',
    awsRegion: 'us-east-1',
  })),
})

export const eventBridgeEvent = (bucket: string, key: string, type = 'Object Created') => ({
  version: '0',
  id: '17793124-05d4-b198-2fde-7ededc63b103',
  'detail-type': type,
  source: 'aws.s3',
  account: '123456789012',
  time: '2026-11-20T10:00:00Z',
  region: 'us-east-1',
  resources: [`arn:aws:s3:::${bucket}`],
  detail: {
    version: '0',
    bucket: {name: bucket},
    object: {key, size: 5, etag: 'b1946ac92492d2347c6235b4d2611184', sequencer: '617f08299329d189'},
    reason: 'PutObject',
  },
})

export const testEvent = (bucket: string) => ({
  Service: 'Amazon S3',
  Event: 's3:TestEvent',
  Time: '2026-11-20T10:00:00.000Z',
  Bucket: bucket,
  RequestId: '5582815E1AEA5ADF',
})
