import {readFile} from 'node:fs/promises'
import type {ConnectionOptions} from 'node:tls'
import {UnknownBackend} from '../../errors.js'
import type {DatabaseOrigin} from '../../sql/failures.js'

/** What a URL of redis-py says, for ioredis. */
export interface RedisTarget {
  readonly host: string
  readonly port: number
  /** Of a Unix socket. */
  readonly path?: string
  readonly username?: string
  readonly password?: string
  readonly db: number
  /** With TLS. */
  readonly tls?: ConnectionOptions
  readonly connectionName?: string
  /** Milliseconds. */
  readonly connectTimeout?: number
  /** Milliseconds without an answer. */
  readonly socketTimeout?: number
}

const form = new RegExp(
  '^(?<scheme>redis|rediss|unix)://' +
    '(?:(?<username>[^:/?#]*)(?::(?<password>[^/?#]*))?@)?' +
    '(?:(?:\\[(?<ipv6>[^\\]]+)\\]|(?<host>[^:/?#@]*))(?::(?<port>\\d*))?)?' +
    '(?<path>/[^?#]*)?(?:\\?(?<query>[^#]*))?(?:#.*)?$',
)

/** Options of redis-py that have no counterpart, because the client does it by itself or never. */
const ignored = new Set([
  'decode_responses',
  'encoding',
  'encoding_errors',
  'health_check_interval',
  'lib_name',
  'lib_version',
  'max_connections',
  'protocol',
  'retry_on_error',
  'retry_on_timeout',
  'socket_keepalive',
  'socket_read_size',
])
const honoured = [
  'db',
  'username',
  'password',
  'client_name',
  'socket_timeout',
  'socket_connect_timeout',
  'ssl_cert_reqs',
  'ssl_check_hostname',
  'ssl_ca_certs',
  'ssl_ca_data',
  'ssl_certfile',
  'ssl_keyfile',
  'ssl_password',
]

/**
 * Parses `redis://[user]:password@host:port/number`, `rediss://…` and `unix://[user:password@]/path?db=number`, with
 * the query options of redis-py; user, password and host of the URL win over its options, the option `db` over the path.
 * @throws {UnknownBackend} saying what is wrong.
 */
export async function parseRedisUrl(url: string, where: DatabaseOrigin): Promise<RedisTarget> {
  const at = `${where.file}: ${where.key}`
  const parts = form.exec(url.trim())?.groups
  if (!parts) {
    throw new UnknownBackend(
      `${at}: found no Redis URL, expected one like redis://:password@localhost:6379/0, rediss://… or unix:///path?db=0`,
    )
  }
  const options = new Map([...new URLSearchParams(parts['query'] ?? '')].reverse()) // the first of each counts
  const unknown = [...options.keys()].find(key => !honoured.includes(key) && !ignored.has(key))
  if (unknown !== undefined) {
    throw new UnknownBackend(
      `${at}: the URL has an unknown option "${unknown}", expected ${honoured.join(', ')}`,
    )
  }
  const number = (key: string, pattern: RegExp): number | undefined => {
    const value = options.get(key)
    if (value === undefined || value === '') return undefined
    if (!pattern.test(value))
      throw new UnknownBackend(`${at}: the URL's ${key} is "${value}", expected a number`)
    return Number(value)
  }
  const milliseconds = (key: string) => {
    const seconds = number(key, /^\d+(?:\.\d*)?$/)
    return seconds ? Math.ceil(seconds * 1000) : undefined
  }
  const isSocket = parts['scheme'] === 'unix'
  const path = decode(parts['path'])
  if (isSocket && (path === undefined || path === '/')) {
    throw new UnknownBackend(
      `${at}: the URL names no socket, expected one like unix:///run/redis/redis.sock?db=0`,
    )
  }
  return withoutUndefined({
    host: decode(parts['ipv6'] ?? parts['host']) || 'localhost',
    port: Number(parts['port'] || 6379),
    path: isSocket ? path : undefined,
    username: decode(parts['username']) || options.get('username') || undefined,
    password: decode(parts['password']) || options.get('password') || undefined,
    db: number('db', /^\d+$/) ?? (isSocket ? 0 : numberOfPath(path)),
    tls: parts['scheme'] === 'rediss' ? await tlsOptions(options, at) : undefined,
    connectionName: options.get('client_name'),
    connectTimeout: milliseconds('socket_connect_timeout'),
    socketTimeout: milliseconds('socket_timeout'),
  })
}

/** As redis-py: what is no number counts as none. */
const numberOfPath = (path = ''): number => Number(/^\d+$/.exec(path.replaceAll('/', ''))?.[0] ?? 0)

const isFalse = (value: string | undefined): boolean => /^(?:0|f|false|n|no)$/i.test(value ?? '')

async function tlsOptions(options: ReadonlyMap<string, string>, at: string): Promise<ConnectionOptions> {
  const file = async (key: string) => {
    const path = options.get(key)
    if (!path) return undefined
    try {
      return await readFile(path)
    } catch (error) {
      throw new UnknownBackend(`${at}: the file ${path} of ${key} can't be read`, {cause: error})
    }
  }
  return withoutUndefined({
    ca: (await file('ssl_ca_certs')) ?? options.get('ssl_ca_data'),
    cert: await file('ssl_certfile'),
    key: await file('ssl_keyfile'),
    passphrase: options.get('ssl_password'),
    rejectUnauthorized: options.get('ssl_cert_reqs') === 'none' ? false : undefined,
    checkServerIdentity: isFalse(options.get('ssl_check_hostname')) ? () => undefined : undefined,
  })
}

function decode(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a bare `%` stands for itself, as in Python
  }
}

type Defined<T> = {[K in keyof T as undefined extends T[K] ? never : K]: T[K]} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}
const withoutUndefined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>
