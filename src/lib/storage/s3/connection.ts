import {StorageFailed, Unavailable, type PpcError} from '../../errors.js'
import {errorCode} from '../file/errors.js'
import {proxyOf, schemeOf} from './agents.js'
import type {S3Settings} from './settings.js'

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: "the name of the host can't be looked up now",
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'it does not answer in time',
}

/** Why nobody was reached: the end of a sentence. */
export const connectionProblem = (error: Error): string | undefined =>
  unreachable[errorCode(error) ?? errorCode(error.cause) ?? '']

/** What no answer of the service explains, as a sentence that names what to change. */
export function connectionFailure(error: Error, what: string, settings: S3Settings): PpcError | undefined {
  const code = errorCode(error) ?? errorCode(error.cause)
  const address = settings.endpoint?.origin ?? 'AWS'
  const proxy = proxyInUse(settings)
  const through = proxy ? ` through the proxy ${proxy.host} (${proxy.setting})` : ''
  const endpoint = settings.place('storage.endpoint_url')
  const reason = connectionProblem(error)
  if (reason !== undefined) {
    const blamed = settings.endpoint && !proxy ? ` (${endpoint})` : ''
    return new Unavailable(`${what}: ${address} can't be reached${through}: ${reason}${blamed}`, {
      cause: error,
    })
  }
  if (error.name === 'TimeoutError') {
    return new Unavailable(`${what}: ${address} does not answer in time${through}`, {cause: error})
  }
  if (code === undefined) return undefined
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code)) {
    const remedy = `name its authority in ${settings.place('storage.verify')}`
    const message = `${what}: the certificate of ${address} is not trusted (${error.message}): ${remedy}`
    return new StorageFailed(message, {cause: error})
  }
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return new StorageFailed(`${what}: ${address} does not speak HTTPS: see ${endpoint}`, {cause: error})
  }
  return undefined
}

/** Answers of a proxy that lets nobody through. */
export function proxyFailure(error: Error, what: string, settings: S3Settings): PpcError {
  const {host = '', setting = 'storage.proxies'} = proxyInUse(settings) ?? {}
  const message = `${what}: the proxy ${host} wants another user or password: see ${setting}`
  return new StorageFailed(message, {cause: error})
}

/** `host` without what may be secret in the address. */
function proxyInUse(settings: S3Settings): {host: string; setting: string} | undefined {
  const scheme = schemeOf(settings)
  const proxy = proxyOf(scheme, settings)
  if (proxy === undefined) return undefined
  const ownSetting = settings.values.proxies.size > 0
  const setting = ownSetting ? settings.place('storage.proxies') : `${scheme.toUpperCase()}_PROXY`
  return {host: proxy.replace(/^.*[@/]/, ''), setting}
}
