import {bool, choice, int, list, optionalInt, optionalText, text} from '../fields.js'
import {backendSchema, type BackendSchema} from './schema.js'

export const gracefulReload = bool('db.graceful_reload', {
  default: false,
  help: 'In pypicloud, true keeps the list of files readable while it is rebuilt, which it always is here. GET /admin/rebuild then reads no file again that has not changed.',
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
    help: 'redis://[user]:password@host:port/number, rediss:// with TLS, or unix://path?db=number. Options as in redis-py: ?socket_timeout=5, ?ssl_ca_certs=FILE, ?ssl_cert_reqs=none …',
  }),
  clustered: bool('db.clustered', {default: false, since: '1.3.8', help: 'The server is a Redis cluster.'}),
  nodes: list('db.nodes', {
    default: [],
    since: 'ours',
    help: 'Further nodes of the cluster as host:port, for a start while the one of db.url is down.',
  }),
  sentinels: list('db.sentinels', {
    default: [],
    since: 'ours',
    help: 'Sentinels as host:port, which know the primary. The host of db.url is then the name of its group.',
  }),
  sentinelPassword: optionalText('db.sentinel_password', {
    since: 'ours',
    secret: true,
    help: 'Password of the sentinels.',
  }),
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
  sessionToken: optionalText('db.aws_session_token', {
    secret: true,
    since: 'ours',
    help: 'Session token of temporary keys.',
  }),
  namespace: text('db.namespace', {
    default: '',
    help: 'Put in front of the table names as it stands, without a separator.',
  }),
  tablenames: list('db.tablenames', {
    default: ['DynamoPackage', 'PackageSummary'],
    since: '1.0.5',
    help: 'Names of the two tables: files, then projects. A third one of ours is called as the first with PpcToolkit behind it.',
  }),
  billing: choice('db.billing', ['on-demand', 'provisioned'], {
    default: 'on-demand',
    since: 'ours',
    help: 'How tables are billed that are created here. Those that are there stay as they are.',
  }),
  readCapacity: int('db.read_capacity', {
    default: 5,
    min: 1,
    since: 'ours',
    help: 'Read units a second of each table that is created with db.billing = provisioned.',
  }),
  writeCapacity: int('db.write_capacity', {
    default: 5,
    min: 1,
    since: 'ours',
    help: 'Write units a second of each table that is created with db.billing = provisioned.',
  }),
  gracefulReload,
} as const

/** By the short name that `pypi.db` has. */
export const cacheSchemas: Readonly<Record<string, BackendSchema>> = {
  sql: backendSchema(sqlCacheFields),
  redis: backendSchema(redisCacheFields, function* ({clustered, nodes, sentinels}) {
    if (clustered && sentinels.length > 0) {
      yield {key: 'db.sentinels', message: 'a cluster has no sentinels: remove them, or db.clustered'}
    }
    if (!clustered && nodes.length > 0) {
      yield {key: 'db.nodes', message: 'only a cluster has further nodes: set db.clustered = true'}
    }
  }),
  dynamo: backendSchema(
    dynamoCacheFields,
    function* ({regionName, host, tablenames, accessKeyId, secretAccessKey}) {
      if (regionName === undefined && host === undefined) {
        yield {key: 'db.region_name', message: 'missing: dynamo needs it, or db.host'}
      }
      if (tablenames.length !== 2) {
        yield {key: 'db.tablenames', message: `found ${tablenames.length} names, expected 2`}
      }
      if (tablenames.length === 2 && tablenames[0] === tablenames[1]) {
        yield {key: 'db.tablenames', message: 'both tables have the same name'}
      }
      if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
        const key = accessKeyId === undefined ? 'db.aws_secret_access_key' : 'db.aws_access_key_id'
        yield {key, message: 'needs the other half: access key and secret key go together'}
      }
    },
  ),
}
