import {Agent as HttpAgent} from 'node:http'
import {Agent as HttpsAgent} from 'node:https'
import {HttpProxyAgent} from 'http-proxy-agent'
import {HttpsProxyAgent} from 'https-proxy-agent'
import type {S3Settings} from './settings.js'

/** As many as a listing asks for metadata at the same time, and as many transfers beside them. */
const defaultConnections = 128

export interface Agents {
  readonly httpAgent: HttpAgent
  /** Of another class where a proxy is in between. */
  readonly httpsAgent: HttpAgent
}

/**
 * Connections to the service: how many, through which proxy and trusting whom. As boto, `storage.proxies` wins over
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment.
 */
export function s3Agents(settings: S3Settings, environment = process.env): Agents {
  const {maxPoolConnections: maxSockets = defaultConnections, proxies} = settings.values
  const common = {keepAlive: true, maxSockets}
  const trust = {
    ...(settings.authorities === false && {rejectUnauthorized: false}),
    ...(typeof settings.authorities === 'string' && {ca: settings.authorities}),
  }
  const proxyOf = (scheme: 'http' | 'https') =>
    proxies.get(scheme) ?? (proxies.size > 0 ? undefined : environmentProxy(scheme, settings, environment))
  const [http, https] = [proxyOf('http'), proxyOf('https')]
  return {
    httpAgent: http ? new HttpProxyAgent(withScheme(http), common) : new HttpAgent(common),
    httpsAgent: https
      ? new HttpsProxyAgent(withScheme(https), {...common, ...trust})
      : new HttpsAgent({...common, ...trust}),
  }
}

const withScheme = (proxy: string) => (proxy.includes('://') ? proxy : `http://${proxy}`)

function environmentProxy(
  scheme: 'http' | 'https',
  {endpoint}: S3Settings,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const find = (name: string) => environment[name.toLowerCase()] ?? environment[name]
  const proxy = find(`${scheme.toUpperCase()}_PROXY`)
  if (!proxy) return undefined
  const host = endpoint?.hostname ?? 'amazonaws.com'
  const direct = (find('NO_PROXY') ?? '').split(/[\s,]+/).map(name => name.replace(/^\*?\./, ''))
  return direct.some(name => name === '*' || (name !== '' && (host === name || host.endsWith(`.${name}`))))
    ? undefined
    : proxy
}
