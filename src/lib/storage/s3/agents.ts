import type {Agent} from 'node:http'
import {agentFor, environmentProxy, type Scheme} from '../../proxies.js'
import type {S3Settings} from './settings.js'

/** As many as a listing asks for metadata at the same time, and as many transfers beside them. */
const defaultConnections = 128

export interface Agents {
  readonly httpAgent: Agent
  /** Of another class where a proxy is in between. */
  readonly httpsAgent: Agent
}

/**
 * Connections to the service: how many, through which proxy and trusting whom. As boto, `storage.proxies` wins over
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment.
 */
export function s3Agents(settings: S3Settings, environment = process.env): Agents {
  const {maxPoolConnections: maxSockets = defaultConnections, proxies} = settings.values
  const host = settings.endpoint?.hostname ?? 'amazonaws.com'
  const common = {keepAlive: true, maxSockets}
  const trust = {
    ...(settings.authorities === false && {rejectUnauthorized: false}),
    ...(typeof settings.authorities === 'string' && {ca: settings.authorities}),
  }
  const proxyOf = (scheme: Scheme) =>
    proxies.get(scheme) ?? (proxies.size > 0 ? undefined : environmentProxy(scheme, host, environment))
  return {
    httpAgent: agentFor('http', proxyOf('http'), common),
    httpsAgent: agentFor('https', proxyOf('https'), {...common, ...trust}),
  }
}
