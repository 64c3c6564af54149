import {readFile} from 'node:fs/promises'
import {isIP} from 'node:net'
import type {ConnectionOptions} from 'node:tls'
import {ConfigError, formatProblem, type Config, type ConfigProblem} from '../../config/config.js'
import {directoryUrls, ldapAccessFields} from '../../config/schema/access.js'
import type {Values} from '../../config/fields.js'

/** A server of the directory. */
export interface Place {
  /** For messages: `ldaps://host:636`. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** TLS from the first byte: ldaps. */
  readonly tls: boolean
  /** Of a Unix socket (ldapi), instead of host and port. */
  readonly path?: string
}

/** How connections are made. */
export interface LinkSettings {
  readonly startTls: boolean
  readonly tls: ConnectionOptions
  readonly timeoutMs: number
}

export interface LdapSettings extends LinkSettings {
  readonly values: Values<typeof ldapAccessFields>
  readonly places: readonly Place[]
  /** What is wrong with a key, with its file and line. */
  problem(key: string, message: string): ConfigProblem
  /** The same as a sentence. */
  about(key: string, message: string): string
}

/** @throws {ConfigError} where a URL or the file of certificates can't be read. */
export async function readLdapSettings(config: Config): Promise<LdapSettings> {
  const values = config.read(ldapAccessFields)
  const problem = (key: string, message: string): ConfigProblem => {
    const setting = config.settings.get(key)
    return {file: setting?.source ?? config.file, line: setting?.line ?? 0, key, message}
  }
  const places = directoryUrls(values.url).map(url => {
    const place = parsePlace(url)
    if (place) return place
    throw new ConfigError([problem('auth.ldap.url', `found ${JSON.stringify(url)}, which is no address`)])
  })
  let ca: string | undefined
  if (values.caCert !== undefined) {
    try {
      ca = await readFile(values.caCert, 'utf8')
    } catch (error) {
      const message = `the file ${values.caCert} can't be read`
      throw new ConfigError([problem('auth.ldap.ca_cert', message)], error)
    }
  }
  return {
    values,
    places,
    startTls: values.startTls,
    tls: {rejectUnauthorized: !values.ignoreCert, ...(ca !== undefined && {ca})},
    timeoutMs: values.timeout * 1000,
    problem,
    about: (key, message) => formatProblem(problem(key, message)),
  }
}

/** `ldap://host:389/…`, `ldaps://[::1]`, `ldapi://%2Frun%2Fslapd%2Fldapi`; what follows the port is not looked at. */
export function parsePlace(text: string): Place | undefined {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return undefined
  }
  const host = decodeURIComponent(url.hostname.replace(/^\[|\]$/g, ''))
  if (url.protocol === 'ldapi:')
    return {url: `ldapi://${url.hostname}`, host: '', port: 0, tls: false, path: host}
  if (url.protocol !== 'ldap:' && url.protocol !== 'ldaps:') return undefined
  const tls = url.protocol === 'ldaps:'
  const port = Number(url.port || (tls ? 636 : 389))
  const shown = host === '' ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host
  return {url: `${url.protocol}//${shown}:${port}`, host: host || 'localhost', port, tls}
}
