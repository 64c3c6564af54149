import {PpcError, StorageFailed, Unavailable} from '../errors.js'
import {driverCode} from './dialect.js'
import {DatabaseFailed, type DatabaseOrigin} from './failures.js'

/** Where a database is, for messages: never the password. */
export interface ServerPlace {
  readonly title: 'PostgreSQL' | 'MySQL'
  /** `db.example.com:5432`, or a socket. */
  readonly address: string
  readonly username: string
  readonly database: string
}

type Failure =
  | 'down'
  | 'full'
  | 'busy'
  | 'pool'
  | 'login'
  | 'database'
  | 'rights'
  | 'readonly'
  | 'disk'
  | 'tls'
  | 'host'
  | 'text'
  | 'same'

/** SQLSTATEs of PostgreSQL, names of MySQL's errors, of Node's and of knex's. */
const failures: Readonly<Record<string, Failure>> = {
  '28000': 'login',
  '28P01': 'login',
  ER_ACCESS_DENIED_ERROR: 'login',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'login',
  ER_HOST_NOT_PRIVILEGED: 'login',
  '3D000': 'database',
  ER_BAD_DB_ERROR: 'database',
  '42501': 'rights',
  ER_DBACCESS_DENIED_ERROR: 'rights',
  ER_TABLEACCESS_DENIED_ERROR: 'rights',
  ER_COLUMNACCESS_DENIED_ERROR: 'rights',
  ER_SPECIFIC_ACCESS_DENIED_ERROR: 'rights',
  '25006': 'readonly',
  ER_OPTION_PREVENTS_STATEMENT: 'readonly',
  ER_READ_ONLY_MODE: 'readonly',
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: 'readonly',
  '53300': 'full',
  ER_CON_COUNT_ERROR: 'full',
  ER_TOO_MANY_USER_CONNECTIONS: 'full',
  ER_USER_LIMIT_REACHED: 'full',
  '53100': 'disk',
  ER_DISK_FULL: 'disk',
  ER_RECORD_FILE_FULL: 'disk',
  '40001': 'busy',
  '40P01': 'busy',
  '55P03': 'busy',
  '57014': 'busy',
  ER_LOCK_DEADLOCK: 'busy',
  ER_LOCK_WAIT_TIMEOUT: 'busy',
  ER_CHECKREAD: 'busy',
  ER_STATEMENT_TIMEOUT: 'busy',
  KnexTimeoutError: 'pool',
  HANDSHAKE_SSL_ERROR: 'tls',
  HANDSHAKE_NO_SSL_SUPPORT: 'tls',
  ENOTFOUND: 'host',
  EAI_AGAIN: 'host',
  '22021': 'text',
  '22001': 'text',
  ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: 'text',
  ER_DATA_TOO_LONG: 'text',
  ER_DUP_ENTRY: 'same',
  ER_BAD_NULL_ERROR: 'same',
}
const connectionLost =
  /^(?:08...|57P0[1-5]|53[24]00|E[A-Z]+|PROTOCOL_(?:CONNECTION_LOST|ENQUEUE_.*|SEQUENCE_TIMEOUT|UNEXPECTED_PACKET)|ER_(?:SERVER_SHUTDOWN|CONNECTION_KILLED|NET_READ_INTERRUPTED|QUERY_INTERRUPTED|NEW_ABORTING_CONNECTION))$/
/** What pg says without a code. */
const lostByWords =
  /Connection terminated|connection (?:timeout|ended)|not queryable|closed state|timeout expired|server has gone away/i

/** A transaction that failed so may succeed when it is run again. */
export const isConflict = (error: unknown): boolean =>
  failures[driverCode(error)] === 'busy' && !isTimeout(error)

/**
 * A row was made, or one that is referred to was removed, after the transaction had looked: the next look shows it. Where
 * two names are the same to a table's collation alone, it never does.
 */
export const isStale = (error: unknown): boolean => staleCodes.has(driverCode(error))

const staleCodes = new Set([
  '23505',
  '23503',
  '42P07', // two create the same table
  '42710', // the same, a moment later: its row type is there
  'ER_DUP_ENTRY',
  'ER_NO_REFERENCED_ROW',
  'ER_NO_REFERENCED_ROW_2',
  'ER_TABLE_EXISTS_ERROR',
])

const isTimeout = (error: unknown): boolean => ['57014', 'ER_STATEMENT_TIMEOUT'].includes(driverCode(error))

const isTls = (error: Error): boolean =>
  /certificate|\bSSL\b|\bTLS\b|Hostname\/IP/i.test(error.message) && !/^\w{5}$/.test(driverCode(error))

/** Says in one sentence what the driver's error means. What is no failure of the server comes back as it is. */
export function explainServer(error: unknown, place: ServerPlace, where: DatabaseOrigin): unknown {
  if (error instanceof PpcError || !(error instanceof Error)) return error
  const code = driverCode(error)
  const failure =
    failures[code] ?? failures[error.name] ?? (isTls(error) ? 'tls' : undefined) ?? lost(error, code)
  if (failure === undefined) return error
  return make(failure, place, `${where.file}: ${where.key}`, {cause: error})
}

function make(failure: Failure, place: ServerPlace, at: string, options: {cause: Error}): PpcError {
  const {title, address, username, database} = place
  const server = `${title} at ${address}`
  switch (failure) {
    case 'down':
      return new Unavailable(`${at}: can't reach ${server} (${reasonOf(options.cause)})`, options)
    case 'host':
      return new Unavailable(`${at}: can't reach ${server}: there is no such host name now`, options)
    case 'full':
      return new Unavailable(
        `${at}: ${server} has too many connections: raise its limit or lower the pool size`,
        options,
      )
    case 'busy':
      return new Unavailable(`${at}: ${server} is busy: others hold locks for too long`, options)
    case 'pool':
      return new Unavailable(
        `${at}: too many wait for a connection to ${server}: it is slow, or the pool size too small`,
        options,
      )
    case 'login':
      return new DatabaseFailed(
        `${at}: ${server} does not let in the user ${JSON.stringify(username)}: check name and password`,
        options,
      )
    case 'database':
      return new DatabaseFailed(
        `${at}: ${server} has no database ${JSON.stringify(database)}: create it`,
        options,
      )
    case 'rights':
      return new DatabaseFailed(
        `${at}: the user ${JSON.stringify(username)} lacks rights in the database ${JSON.stringify(database)} of ${server}: ${sentence(options.cause)}`,
        options,
      )
    case 'readonly':
      return new StorageFailed(`${at}: ${server} is read-only: name the primary server`, options)
    case 'disk':
      return new StorageFailed(`${at}: no space is left on the disk of ${server}`, options)
    case 'tls':
      return new DatabaseFailed(
        `${at}: ${server} can't be reached by TLS as the URL says: ${tlsReason(options.cause, place)}`,
        options,
      )
    case 'text':
      return new StorageFailed(
        `${at}: a table of ${server} can't hold a value: ${sentence(options.cause)}`,
        options,
      )
    case 'same':
      return new StorageFailed(
        `${at}: a table of ${server} takes two names for the same that differ in case or accents: give its columns the collation utf8mb4_bin`,
        options,
      )
  }
}

/** OpenSSL's words, and what to do where that is known. */
function tlsReason(error: Error, {title, address}: ServerPlace): string {
  if (/Hostname\/IP does not match/.test(error.message)) {
    return `its certificate is not for ${address.replace(/:\d+$/, '')}: write a host name that it is for`
  }
  const isStranger = /self.signed|unable to (?:verify|get)/i.test(error.message)
  const option = title === 'PostgreSQL' ? 'sslrootcert' : 'ssl_ca'
  return `${sentence(error)}${isStranger ? `: name the authority that has signed its certificate by ${option}` : ''}`
}

const lost = (error: Error, code: string): Failure | undefined =>
  connectionLost.test(code) || (code === '' && lostByWords.test(error.message)) ? 'down' : undefined

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
  PROTOCOL_CONNECTION_LOST: 'the connection was lost',
  ETIMEDOUT: 'it does not answer',
  ENOENT: 'there is no such socket',
}
const reasonOf = (error: Error): string => reasons[driverCode(error)] ?? sentence(error)

/** The first sentence of the server, which names tables and columns but no values. */
const sentence = (error: Error): string =>
  ('sqlMessage' in error && typeof error.sqlMessage === 'string' ? error.sqlMessage : error.message)
    .split('\n', 1)
    .join('')
    .slice(0, 200)
