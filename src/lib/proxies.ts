import {Agent as HttpAgent} from 'node:http'
import {Agent as HttpsAgent, type AgentOptions} from 'node:https'
import {HttpProxyAgent} from 'http-proxy-agent'
import {HttpsProxyAgent} from 'https-proxy-agent'

export type Scheme = 'http' | 'https'

/**
 * Connections to services of that scheme.
 * @param proxy `http://user:password@proxy:3128`, or only host and port. Undefined: they are direct.
 */
export function agentFor(scheme: Scheme, proxy: string | undefined, options: AgentOptions): HttpAgent {
  if (proxy === undefined) return scheme === 'https' ? new HttpsAgent(options) : new HttpAgent(options)
  const address = proxy.includes('://') ? proxy : `http://${proxy}`
  if (scheme === 'http') return new HttpProxyAgent(address, options)
  const agent = new HttpsProxyAgent(address, options)
  Object.assign(agent.options, options) // else its authorities would only count for the proxy itself
  return agent
}

/** Of HTTP_PROXY or HTTPS_PROXY, unless NO_PROXY names the host or a domain that it is in; also in lower case. */
export function environmentProxy(
  scheme: Scheme,
  host: string,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const find = (name: string) => environment[name.toLowerCase()] ?? environment[name]
  const proxy = find(`${scheme.toUpperCase()}_PROXY`)
  if (!proxy) return undefined
  const direct = (find('NO_PROXY') ?? '').split(/[\s,]+/).map(name => name.replace(/^\*?\./, ''))
  return direct.some(name => name === '*' || (name !== '' && (host === name || host.endsWith(`.${name}`))))
    ? undefined
    : proxy
}
