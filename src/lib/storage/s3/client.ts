import type {Agent as HttpsAgent} from 'node:https'
import {S3Client, type S3ClientConfig} from '@aws-sdk/client-s3'
import {NodeHttpHandler} from '@smithy/node-http-handler'
import {sayNothingOfNodeVersion} from '../../aws-node-version.js'
import {connectionsOf, type Connections} from './agents.js'
import {s3Retries} from './retries.js'
import type {S3Settings, S3Values} from './settings.js'

/** A client as the settings describe it. Does no I/O. */
export function s3Client(
  settings: S3Settings,
  region: string,
  {httpAgent, httpsAgent, connectionTimeout, socketTimeout}: Connections = connectionsOf(settings),
): S3Client {
  sayNothingOfNodeVersion()
  const {values, endpoint, pathStyle} = settings
  const client = new S3Client({
    region,
    ...(endpoint && {endpoint: endpoint.href, forcePathStyle: pathStyle}),
    ...(!endpoint && {
      forcePathStyle: pathStyle,
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- an endpoint instead would switch off what AWS's have
      tls: values.useSsl,
      useAccelerateEndpoint: values.useAccelerateEndpoint,
    }),
    ...credentialsOf(values),
    // What other services than AWS's understand. Bytes are secured by Content-MD5 and the ETag.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    retryStrategy: s3Retries(),
    requestHandler: new NodeHttpHandler({
      httpAgent,
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- any agent that can be destroyed does
      httpsAgent: httpsAgent as HttpsAgent,
      connectionTimeout,
      socketTimeout,
      socketAcquisitionWarningTimeout: 2 ** 31 - 1, // waiting for a connection is no news
    }),
  })
  adaptRequests(client, values, endpoint?.protocol !== 'http:' && values.useSsl)
  return client
}

/** Without a key in the config the SDK asks environment, profiles, web identity, containers and the instance. */
function credentialsOf({accessKeyId, secretAccessKey, sessionToken}: S3Values): Partial<S3ClientConfig> {
  if (accessKeyId === undefined || secretAccessKey === undefined) return {}
  return {credentials: {accessKeyId, secretAccessKey, ...(sessionToken && {sessionToken})}}
}

/** The headers that some settings ask for. */
function adaptRequests(client: S3Client, values: S3Values, isEncrypted: boolean): void {
  const {userAgent, userAgentExtra, payloadSigningEnabled} = values
  client.middlewareStack.add(
    next => args => {
      const {headers} = args.request as {headers: Record<string, string>}
      const agent = [userAgent ?? headers['user-agent'], userAgentExtra].filter(Boolean).join(' ')
      headers['user-agent'] = agent
      if (payloadSigningEnabled === false && isEncrypted) headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      return next(args)
    },
    {step: 'finalizeRequest', priority: 'high', name: 'ppcRequestHeaders'},
  )
}

/** As the profile has it. Undefined where there is none. */
export async function regionOfProfile(): Promise<string | undefined> {
  sayNothingOfNodeVersion()
  const probe = new S3Client({}) // reads the profile's file as every client does
  try {
    return await probe.config.region()
  } catch {
    return undefined
  } finally {
    probe.destroy()
  }
}
