import {bool, int, list, optionalInt, optionalText, text} from '../fields.js'
import {backendSchema, type BackendSchema} from './schema.js'

const gracefulReload = bool('db.graceful_reload', {
  default: false,
  help: 'In pypicloud, true keeps the list of files readable while it is rebuilt. Here it always is.',
})

/**
 * Options of SQLAlchemy's create_engine below `prefix`. Only those of the pool have a counterpart; the others are
 * accepted so that old files start.
 */
export const engineFields = (prefix: 'db.' | 'auth.db.') =>
  ({
    poolSize: optionalInt(`${prefix}pool_size`, {
      min: 0,
      help: 'Connections kept open to a database server.',
    }),
    maxOverflow: optionalInt(`${prefix}max_overflow`, {
      min: -1,
      help: 'Connections opened beyond the pool size when all are busy.',
    }),
    poolTimeout: optionalInt(`${prefix}pool_timeout`, {
      min: 0,
      help: 'Seconds to wait for a free connection.',
    }),
    poolRecycle: optionalInt(`${prefix}pool_recycle`, {
      min: -1,
      help: 'Seconds after which a connection is replaced; -1 for never.',
    }),
    poolclass: optionalText(`${prefix}poolclass`, {
      since: '1.3.3',
      help: 'sqlalchemy.pool.NullPool opens a connection for each use; other classes are ignored.',
    }),
    echo: optionalText(`${prefix}echo`, {help: 'True or debug logs every SQL statement.'}),
    isolationLevel: optionalText(`${prefix}isolation_level`, {
      ignored: 'every statement runs at the level it needs',
      help: 'Isolation level of transactions.',
    }),
    poolPrePing: optionalText(`${prefix}pool_pre_ping`, {
      ignored: 'broken connections are always replaced',
      help: 'Checks connections before they are used.',
    }),
    connectArgs: optionalText(`${prefix}connect_args`, {
      secret: true,
      ignored: 'write options into the URL',
      help: 'Arguments for the Python database driver.',
    }),
  }) as const

/** `pypi.db = sql` (COMPAT §1.7). */
export const sqlCacheFields = {
  url: text('db.url', {
    required: true,
    secret: true,
    help: 'SQLAlchemy URL: sqlite:///relative.db, sqlite:////absolute.db, postgresql://… or mysql://…. A relative path counts from the working directory, so write sqlite:///%(here)s/db.sqlite.',
  }),
  gracefulReload,
  ...engineFields('db.'),
} as const

/** `pypi.db = redis`. */
export const redisCacheFields = {
  url: text('db.url', {
    required: true,
    secret: true,
    help: 'redis://[user]:password@host:port/number, rediss:// with TLS, or unix://path?db=number.',
  }),
  clustered: bool('db.clustered', {default: false, since: '1.3.8', help: 'The server is a Redis cluster.'}),
  gracefulReload,
} as const

/** `pypi.db = dynamo`. */
export const dynamoCacheFields = {
  regionName: optionalText('db.region_name', {
    help: 'AWS region of the tables. Required unless db.host is set.',
  }),
  host: optionalText('db.host', {help: 'Host of a local DynamoDB.'}),
  port: int('db.port', {default: 8000, min: 1, max: 65535, help: 'Port of a local DynamoDB.'}),
  secure: bool('db.secure', {default: false, help: 'Speaks HTTPS with db.host.'}),
  accessKeyId: optionalText('db.aws_access_key_id', {
    help: 'Access key. Without one the usual AWS sources are asked.',
  }),
  secretAccessKey: optionalText('db.aws_secret_access_key', {secret: true, help: 'Secret key.'}),
  namespace: text('db.namespace', {
    default: '',
    help: 'Put in front of the table names as it stands, without a separator.',
  }),
  tablenames: list('db.tablenames', {
    default: ['DynamoPackage', 'PackageSummary'],
    since: '1.0.5',
    help: 'Names of the two tables: files, then projects.',
  }),
  gracefulReload,
} as const

/** By the short name that `pypi.db` has. */
export const cacheSchemas: Readonly<Record<string, BackendSchema>> = {
  sql: backendSchema(sqlCacheFields),
  redis: backendSchema(redisCacheFields),
  dynamo: backendSchema(dynamoCacheFields, function* ({regionName, host, tablenames}) {
    if (regionName === undefined && host === undefined) {
      yield {key: 'db.region_name', message: 'missing: dynamo needs it, or db.host'}
    }
    if (tablenames.length !== 2) {
      yield {key: 'db.tablenames', message: `found ${tablenames.length} names, expected 2`}
    }
  }),
}
