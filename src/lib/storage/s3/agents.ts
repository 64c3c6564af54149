import type {Agent} from 'node:http'
import {agentFor, environmentProxy, type Scheme} from '../../proxies.js'
import type {S3Settings} from './settings.js'

/** As many as a listing asks for metadata at the same time, and as many transfers beside them. */
const defaultConnections = 128

interface Agents {
  readonly httpAgent: Agent
  /** Of another class where a proxy is in between. */
  readonly httpsAgent: Agent
}

export interface Connections extends Agents {
  /** Milliseconds. */
  readonly connectionTimeout: number
  /** Milliseconds without a byte. */
  readonly socketTimeout: number
}

/** Connections to the service: how many, how patient, through which proxy and trusting whom. */
export function connectionsOf(settings: S3Settings): Connections {
  const {connectTimeout = 20, readTimeout = 60} = settings.values
  return {
    ...agentsOf(settings),
    connectionTimeout: milliseconds(connectTimeout),
    socketTimeout: milliseconds(readTimeout),
  }
}

/** boto takes 0 for "at once"; nothing can be reached so fast. */
const milliseconds = (seconds: number) => Math.max(1, seconds * 1000)

function agentsOf(settings: S3Settings): Agents {
  const {maxPoolConnections: maxSockets = defaultConnections} = settings.values
  const common = {keepAlive: true, maxSockets}
  const trust = {
    ...(settings.authorities === false && {rejectUnauthorized: false}),
    ...(typeof settings.authorities === 'string' && {ca: settings.authorities}),
  }
  return {
    httpAgent: agentFor('http', proxyOf('http', settings), common),
    httpsAgent: agentFor('https', proxyOf('https', settings), {...common, ...trust}),
  }
}

/** As boto, `storage.proxies` wins over HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment. */
export function proxyOf(scheme: Scheme, {endpoint, values: {proxies}}: S3Settings): string | undefined {
  const proxy = proxies.get(scheme)
  if (proxy !== undefined || proxies.size > 0) return proxy
  return environmentProxy(scheme, endpoint?.hostname ?? 'amazonaws.com')
}

/** By which the service is asked. */
export const schemeOf = ({endpoint, values}: S3Settings): Scheme =>
  (endpoint ? endpoint.protocol === 'https:' : values.useSsl) ? 'https' : 'http'
