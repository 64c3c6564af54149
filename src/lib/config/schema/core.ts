import {isAddressOrNetwork} from '../../address-list.js'
import {bool, choice, int, list, optionalBool, optionalList, optionalText, seconds, text} from '../fields.js'

/**
 * pypicloud 1.0.11's documented upstream, which redirects to today's public index: the only address of a package
 * registry in this project.
 */
export const defaultUpstream = 'https://pypi.python.org'

/** Keys that the index itself reads, whatever the backends (COMPAT §1.4). */
export const coreFields = {
  storage: text('pypi.storage', {
    default: 'file',
    help: 'Where the files live: file, s3, cloudfront, gcs, azure-blob, or a module of your own.',
  }),
  db: text('pypi.db', {
    default: 'sql',
    help: 'What caches the list of files: sql, redis, dynamo, or a module of your own.',
  }),
  auth: text('pypi.auth', {
    default: 'config',
    help: 'Who may do what: config, sql, ldap, aws_secrets_manager, remote, or a module of your own.',
  }),

  fallback: choice('pypi.fallback', ['redirect', 'cache', 'none', 'mirror'], {
    default: 'redirect',
    help: 'What happens to names that this index does not have: redirect to the upstream index, cache its files here, or none. mirror means cache with pypi.always_show_upstream.',
  }),
  alwaysShowUpstream: bool('pypi.always_show_upstream', {
    default: false,
    help: 'Mixes upstream files into the pages of projects that this index has. Private names stay private.',
  }),
  fallbackBaseUrl: optionalText('pypi.fallback_base_url', {
    since: '1.0.7',
    secret: true, // it may hold a user and a password
    help: `Base URL of the upstream index; /simple/ and /pypi/ are below it. ${defaultUpstream} by default.`,
  }),
  fallbackUrl: optionalText('pypi.fallback_url', {
    deprecated: 'write pypi.fallback_base_url, without /simple',
    secret: true,
    help: 'Full URL of the upstream simple index.',
  }),
  useJsonScraper: optionalBool('pypi.use_json_scraper', {
    since: '1.0.14',
    help: 'Reads the JSON API below pypi.fallback_base_url where the upstream has its simple pages as HTML only. On by default for the default upstream.',
  }),
  disallowFallback: list('pypi.disallow_fallback', {
    default: [],
    since: '1.0.12',
    help: 'Names that are never looked up or redirected upstream.',
  }),
  privateNames: list('pypi.private', {
    default: [],
    since: 'ours',
    help: 'Reserved names, with * for any text (acme-*): never looked up or redirected upstream, whoever asks.',
  }),
  upstreamUsername: optionalText('pypi.upstream_username', {
    since: 'ours',
    help: 'User at the upstream index, sent to its own host alone.',
  }),
  upstreamPassword: optionalText('pypi.upstream_password', {
    since: 'ours',
    secret: true,
    help: 'Password of pypi.upstream_username.',
  }),
  upstreamAge: int('pypi.upstream_age', {
    default: 0,
    min: 0,
    max: 36_500,
    since: 'ours',
    help: 'Days that an upstream file must be old before it is shown or fetched here. Files that do not tell their age are left out then. Means nothing to clients that are redirected.',
  }),
  upstreamTimeout: int('pypi.upstream_timeout', {
    default: 30,
    min: 1,
    max: 3600,
    since: 'ours',
    help: 'Seconds that the upstream may take to answer, and between two parts of an answer.',
  }),
  upstreamAllowPrivate: list('pypi.upstream_allow_private', {
    default: [],
    since: 'ours',
    help: 'Hosts, host:port, addresses or networks (10.1.0.0/16) that files of the upstream may be on although they are not public. The host of pypi.fallback_base_url may be on a private network without being named here.',
  }),

  defaultRead: list('pypi.default_read', {
    default: ['authenticated'],
    help: 'Groups that may read projects without rules of their own.',
  }),
  defaultWrite: list('pypi.default_write', {
    default: [],
    help: 'Groups that may write projects without rules of their own.',
  }),
  cacheUpdate: list('pypi.cache_update', {
    default: ['authenticated'],
    help: 'Groups whose requests may store upstream files here.',
  }),
  allowOverwriteGroups: optionalList('pypi.allow_overwrite_groups', {
    since: '1.3.11',
    help: 'Groups that may replace a stored file by other bytes. Administrators only if listed.',
  }),
  allowOverwrite: optionalBool('pypi.allow_overwrite', {
    deprecated: 'write pypi.allow_overwrite_groups = authenticated for true',
    help: 'Lets every user with write permission replace files.',
  }),
  allowDeleteGroups: optionalList('pypi.allow_delete_groups', {
    since: '1.3.11',
    help: 'Groups that may delete files of projects they can write. By default every user who is logged in.',
  }),
  allowDelete: optionalBool('pypi.allow_delete', {
    since: '1.1.5',
    deprecated: 'write pypi.allow_delete_groups, empty for false',
    help: 'Lets every user with write permission delete files.',
  }),

  calculatePackageHashes: bool('pypi.calculate_package_hashes', {
    default: true,
    since: '1.1.0',
    help: 'Stores SHA-256 and MD5 of every upload.',
  }),
  realm: text('pypi.realm', {default: 'pypi', help: 'Realm of HTTP Basic authentication.'}),
  downloadUrl: optionalText('pypi.download_url', {
    help: 'Shown on the web pages as the address to install from.',
  }),
  streamFiles: bool('pypi.stream_files', {
    default: false,
    since: '1.0.11',
    help: 'Sends files through this server instead of redirecting to the storage.',
  }),
  packageMaxAge: int('pypi.package_max_age', {
    default: 0,
    min: 0,
    since: '1.0.11',
    help: 'Seconds that clients may keep a downloaded file without asking again.',
  }),
  maxUploadSize: int('pypi.max_upload_size', {
    default: 10 * 1024 ** 3,
    min: 1,
    since: 'ours',
    help: 'Largest upload in bytes; larger ones are answered 413.',
  }),

  trustedProxies: {
    ...optionalList('pypi.trusted_proxies', {
      since: 'ours',
      help: 'Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For, -Proto and -Host are believed; unix for those that come by a socket file. By default, where a PasteDeploy prefix filter is used, all on loopback and private addresses.',
    }),
    remark: (value: string) => {
      const wrong = value
        .split(/\s+/)
        .find(part => part !== '' && part !== 'unix' && !isAddressOrNetwork(part))
      return wrong === undefined
        ? undefined
        : `${JSON.stringify(wrong)} is no address or network, and is ignored`
    },
  },

  reloadTemplates: bool('pyramid.reload_templates', {default: false, help: 'Indents all JSON answers by 4.'}),
  debug: bool('pyramid.debug', {
    default: false,
    help: 'Accepted and ignored: answers never show a stack trace.',
  }),
  staticMaxAge: seconds('pyramid.cache_max_age', {
    default: 3600,
    help: 'Seconds that clients may keep static files.',
  }),
} as const
