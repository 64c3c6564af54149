import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {DatabaseFailed, type DatabaseOrigin} from '../../sql/failures.js'

/** Where a Redis server was named, and what it is called in messages: its URL without user and password. */
export interface RedisOrigin extends DatabaseOrigin {
  readonly name: string
}

interface Meaning {
  /** Of what the server or the client says. */
  readonly pattern: RegExp
  readonly kind: new (message: string, options: {cause: unknown}) => PpcError
  /** Follows `server.ini: db.url: redis://host:6379/0 `. */
  readonly says: string
}
const meanings: readonly Meaning[] = [
  {
    pattern: /^NOAUTH|HELLO must be called with the client already authenticated/,
    kind: DatabaseFailed,
    says: 'asks for a password, and the URL has none: write redis://:password@host:port/0',
  },
  {
    pattern: /^WRONGPASS|invalid password|AUTH.*(?:failed|without any password)/i,
    kind: DatabaseFailed,
    says: 'refuses the user or password of the URL',
  },
  {
    pattern: /^NOPERM|no permissions|user executing the script can't/i,
    kind: DatabaseFailed,
    says: 'does not let this user do what a cache needs: give it the commands of the keys pypicloud:* and ppc-toolkit:*',
  },
  {
    pattern: /^(?:ERR )?WRONGTYPE/,
    kind: DatabaseFailed,
    says: 'has a key of pypicloud that is not of the type that pypicloud gives it: delete the keys pypicloud:* and rebuild',
  },
  {
    pattern: /^OOM/,
    kind: StorageFailed,
    says: 'has no memory left for writes: raise its maxmemory',
  },
  {
    pattern: /^MISCONF/,
    kind: StorageFailed,
    says: "takes no writes, because it can't save its data to its disk",
  },
  {
    pattern: /^READONLY/,
    kind: Unavailable,
    says: 'is a replica, which takes no writes: name the primary',
  },
  {
    pattern: /^NOREPLICAS/,
    kind: Unavailable,
    says: 'takes no writes, because too few of its replicas are in reach',
  },
  {pattern: /^LOADING/, kind: Unavailable, says: 'is still loading its data'},
  {pattern: /^BUSY /, kind: Unavailable, says: 'is busy with a script of somebody'},
  {
    pattern:
      /^(?:CLUSTERDOWN|TRYAGAIN|MASTERDOWN)|slots cache|None of startup nodes|Too many Cluster redirections/,
    kind: Unavailable,
    says: 'is a cluster of which not all nodes are there',
  },
  {
    pattern: /cluster support disabled/,
    kind: DatabaseFailed,
    says: 'is no cluster: remove db.clustered',
  },
  {
    pattern: /^(?:MOVED|ASK|CROSSSLOT) |SELECT is not allowed in cluster mode/,
    kind: DatabaseFailed,
    says: 'is a cluster: write db.clustered = true, and no database number',
  },
  {
    pattern: /DB index is out of range|invalid DB index/,
    kind: DatabaseFailed,
    says: 'has no database of that number',
  },
  {
    pattern: /^All sentinels are unreachable/,
    kind: Unavailable,
    says: 'is not known to any of db.sentinels, or none of them can be reached',
  },
  {
    pattern: /^(?:ERR )?unknown command/i,
    kind: DatabaseFailed,
    says: 'is too old or not Redis: version 5 or later is needed',
  },
]

const lostConnection =
  /^Connection is closed|max retries per request|^Command (?:timed out|aborted)|isn't writeable|^Socket timeout|^connect ETIMEDOUT/

/**
 * Says in one sentence what an error of Redis or of the connection means; a failure of another kind comes back as it is.
 * @param cause what the connection reported last: ioredis says "Connection is closed." of whatever closed it.
 */
export function explainRedis(error: unknown, where: RedisOrigin, cause?: Error): unknown {
  if (error instanceof PpcError || !(error instanceof Error)) return error
  const about = `${where.file}: ${where.key}: ${where.name}`
  const reasons = [
    error,
    ...(cause && (lostConnection.test(error.message) || isCollective(error)) ? [rootOf(cause)] : []),
  ]
  for (const reason of reasons.toReversed()) {
    const meaning = meanings.find(({pattern}) => pattern.test(reason.message))
    if (meaning) return new meaning.kind(`${about} ${meaning.says}`, {cause: error})
    const tls = explainTls(reason)
    if (tls !== undefined) return new DatabaseFailed(`${about} ${tls}`, {cause: error})
    if (isSocketError(reason))
      return new Unavailable(`${about} can't be reached (${reason.code})`, {cause: error})
  }
  if (lostConnection.test(error.message)) return new Unavailable(`${about} does not answer`, {cause: error})
  return error
}

const isSocketError = (error: Error): error is Error & {code: string} =>
  'syscall' in error && 'code' in error && typeof error.code === 'string'

/** ioredis's error for several nodes, of which one says why. */
const isCollective = (error: Error): boolean => /slots cache|startup nodes|sentinels/.test(error.message)
function rootOf(error: Error): Error {
  const {lastNodeError} = error as {lastNodeError?: unknown}
  return lastNodeError instanceof Error ? lastNodeError : error
}

function explainTls(error: Error): string | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'has a certificate for another host name: correct the host, or add ssl_check_hostname=false to the URL'
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)/.test(code)) {
    return `has a certificate that can't be verified (${code}): add ssl_ca_certs=FILE to the URL`
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO')
    return 'does not speak TLS as it should: redis:// is without TLS'
  return undefined
}
