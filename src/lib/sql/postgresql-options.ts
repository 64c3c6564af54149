import {existsSync, readFileSync} from 'node:fs'
import type {ConnectionOptions} from 'node:tls'
import type {ClientConfig} from 'pg'
import {UsageError} from '../errors.js'
import type {ServerUrl} from './url.js'

export interface PostgresqlOptions {
  readonly client: ClientConfig
  /** In the order in which they are tried: false is without TLS. */
  readonly tls: readonly (ConnectionOptions | false)[]
}

const socketDirectory = '/var/run/postgresql'
const port = 5432
const connectSeconds = 10

/** Options of the URL as libpq takes them (PostgreSQL docs §34.1.2); those without a counterpart change nothing. */
export function postgresqlOptions(url: ServerUrl, at: string): PostgresqlOptions {
  const {query} = url
  const host = query.get('host') ?? url.host ?? (existsSync(socketDirectory) ? socketDirectory : 'localhost')
  const username =
    url.username ?? query.get('user') ?? process.env['PGUSER'] ?? process.env['USER'] ?? 'postgres'
  const seconds = Number(query.get('connect_timeout') ?? connectSeconds)
  return {
    client: {
      host,
      port: Number(query.get('port') ?? url.port ?? port),
      user: username,
      database: url.database ?? query.get('dbname') ?? username,
      ...defined('password', url.password ?? query.get('password')),
      ...defined('options', query.get('options')),
      application_name: query.get('application_name') ?? 'ppc-toolkit',
      connectionTimeoutMillis: (seconds > 0 ? seconds : connectSeconds) * 1000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    },
    tls: host.startsWith('/') ? [false] : tlsModes(query, at),
  }
}

function tlsModes(query: URLSearchParams, at: string): (ConnectionOptions | false)[] {
  const mode = query.get('sslmode') ?? process.env['PGSSLMODE'] ?? 'prefer'
  const file = (name: string) => {
    const path = query.get(name)
    if (path === null || path === 'system') return undefined
    try {
      return readFileSync(path)
    } catch (error) {
      throw new UsageError(`${at}: ${name}: can't read ${path}`, {cause: error})
    }
  }
  const ca = file('sslrootcert')
  const files = {...defined('ca', ca), ...defined('cert', file('sslcert')), ...defined('key', file('sslkey'))}
  const unverified = {...files, rejectUnauthorized: false}
  const verified = {...files, rejectUnauthorized: true, checkServerIdentity: () => undefined}
  switch (mode) {
    case 'disable':
      return [false]
    case 'allow':
      return [false, unverified]
    case 'prefer':
      return [unverified, false]
    case 'require':
      return [ca ? verified : unverified] // as libpq does where there is a root certificate
    case 'verify-ca':
      return [verified]
    case 'verify-full':
      return [{...files, rejectUnauthorized: true}]
    default:
      throw new UsageError(
        `${at}: sslmode: expected disable, allow, prefer, require, verify-ca or verify-full, found ${JSON.stringify(mode)}`,
      )
  }
}

const defined = <K extends string, T>(key: K, value: T | null | undefined): Partial<Record<K, T>> =>
  value === undefined || value === null ? {} : ({[key]: value} as Record<K, T>)
