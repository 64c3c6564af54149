import {readFileSync} from 'node:fs'
import {isIP} from 'node:net'
import type {ConnectionOptions, SslOptions} from 'mysql2'
import {UsageError} from '../errors.js'
import type {ServerUrl} from './url.js'

const port = 3306
const connectSeconds = 10

/** Options of the URL as mysqlclient and PyMySQL take them; those without a counterpart change nothing. */
export function mysqlOptions(url: ServerUrl, at: string): ConnectionOptions {
  const {query} = url
  const socketPath = query.get('unix_socket') ?? undefined
  const seconds = Number(query.get('connect_timeout') ?? connectSeconds)
  const host = query.get('host') ?? url.host ?? 'localhost'
  const ssl = tls(query, at)
  if (ssl?.verifyIdentity && isIP(host)) {
    // the driver would check the certificate for "localhost"
    throw new UsageError(`${at}: a certificate is checked for a host name only: write one instead of ${host}`)
  }
  const password = url.password ?? query.get('password') ?? query.get('passwd')
  return {
    host,
    port: Number(query.get('port') ?? url.port ?? port),
    user: url.username ?? query.get('user') ?? '',
    database: url.database ?? query.get('db') ?? query.get('database') ?? '',
    charset: 'utf8mb4', // of the connection; tables may have another: the server converts
    connectTimeout: (seconds > 0 ? seconds : connectSeconds) * 1000,
    dateStrings: true, // a Date would be in the process's zone
    supportBigNumbers: true,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    ...(password === null ? {} : {password}),
    ...(socketPath === undefined ? {} : {socketPath}),
    ...(ssl === undefined ? {} : {ssl}),
  }
}

/** TLS when one of its options is there, as in Python. */
function tls(query: URLSearchParams, at: string): SslOptions | undefined {
  const file = (name: string) => {
    const path = query.get(name)
    if (path === null) return undefined
    try {
      return readFileSync(path)
    } catch (error) {
      throw new UsageError(`${at}: ${name}: can't read ${path}`, {cause: error})
    }
  }
  const [ca, cert, key] = [file('ssl_ca'), file('ssl_cert'), file('ssl_key')]
  const mode = query.get('ssl_mode')?.toUpperCase()
  const wanted = ca ?? cert ?? key ?? (mode && mode !== 'DISABLED' && mode !== 'PREFERRED' ? mode : undefined)
  if (wanted === undefined || isTrue(query.get('ssl_disabled'))) return undefined
  const verifies = isTrue(query.get('ssl_verify_cert')) || ca !== undefined || /^VERIFY/.test(mode ?? '')
  return {
    ...(ca ? {ca} : {}),
    ...(cert ? {cert} : {}),
    ...(key ? {key} : {}),
    rejectUnauthorized: verifies,
    verifyIdentity:
      isTrue(query.get('ssl_verify_identity')) ||
      isTrue(query.get('ssl_check_hostname')) ||
      mode === 'VERIFY_IDENTITY',
  }
}

const isTrue = (text: string | null): boolean => text !== null && /^(?:1|true|yes|on)$/i.test(text)
