import {
  bool,
  choice,
  family,
  int,
  lines,
  list,
  optionalInt,
  optionalSeconds,
  optionalText,
  seconds,
  text,
  type Values,
} from '../fields.js'
import {engineFields} from './cache.js'
import {backendSchema, type BackendSchema} from './schema.js'

/** As `ppc-gen-password -s` names them, plus the two short names that config files may use (COMPAT §1.8). */
const schemes = [
  'sha512_crypt',
  'sha256_crypt',
  'pbkdf2_sha512',
  'pbkdf2_sha256',
  'bcrypt',
  'argon2',
] as const

/** How new passwords are hashed. All schemes are verified whatever is set here. */
export const passwordFields = {
  scheme: choice('auth.scheme', [...schemes, 'sha', 'pbkdf2'], {
    default: 'sha512_crypt',
    since: '1.0.14',
    help: 'How new passwords are hashed. sha means sha512_crypt, pbkdf2 means pbkdf2_sha512.',
  }),
  rounds: optionalInt('auth.rounds', {
    min: 1,
    help: 'Cost of hashing; each scheme has its own default. Out of range it is moved to the nearest allowed.',
  }),
  upgradeHashes: bool('auth.upgrade_hashes', {
    default: false,
    since: 'ours',
    help: 'Hashes a password anew when it was right and its stored hash is of another scheme than auth.scheme, or of fewer rounds. Never to fewer.',
  }),
} as const

/** Links that let somebody register. */
export const tokenFields = {
  signingKey: optionalText('auth.signing_key', {
    secret: true,
    help: 'Signs the links that administrators give to new users. Without it there are none.',
  }),
  tokenExpire: seconds('auth.token_expire', {default: 7 * 24 * 3600, help: 'How long such a link works.'}),
} as const

/** `pypi.auth = config`. */
export const configAccessFields = {
  admins: list('auth.admins', {default: [], help: 'Names of the administrators.'}),
} as const

/** The rules of `pypi.auth = config`, read by `config.family()`. */
export const configAccessFamilies = {
  users: family('user.*', {
    secret: true,
    help: 'Password hash of a user, made by ppc-gen-password.',
  }),
  groups: family('group.*', {help: 'Members of a group, one a line or separated by blanks.'}),
  permissions: family('package.*', {
    help: 'Rights on a project, as package.PROJECT.user.NAME or package.PROJECT.group.NAME: r, rw, or nothing. The names hold no dots; PROJECT may hold *, as in acme-*, and then adds to the rules of all that match; so may the NAME of a group, for all groups of the file that match.',
  }),
} as const

/** API tokens, where users can't be written: config, ldap, remote. Read by `config.family()`. */
export const configTokenFamilies = {
  tokens: family('token.*', {
    since: 'ours',
    secret: true,
    help: 'An API token, as ppc token create prints it: what it is for, the digest of its text, and its owner. For pypi.auth = config, ldap and remote.',
  }),
} as const

/** `pypi.auth = sql`. */
export const sqlAccessFields = {
  url: text('auth.db.url', {
    required: true,
    secret: true,
    help: 'SQLAlchemy URL of the database with users, groups and rights; see db.url.',
  }),
  ...engineFields('auth.db.'),
} as const

/** `pypi.auth = ldap`. */
export const ldapAccessFields = {
  url: text('auth.ldap.url', {
    required: true,
    help: 'Address of the directory: ldap://host, ldaps://host or ldapi://socket. Of several, separated by blanks or commas, the first that answers is taken.',
  }),
  startTls: bool('auth.ldap.start_tls', {
    default: false,
    since: 'ours',
    help: 'Encrypts connections to ldap://host before anything is sent. They fail where the directory does not offer it.',
  }),
  caCert: optionalText('auth.ldap.ca_cert', {
    since: 'ours',
    environment: 'LDAPTLS_CACERT',
    help: 'File with the certificates of the authorities that sign those of the directory, if they are not public ones.',
  }),
  timeout: int('auth.ldap.timeout', {
    default: 10,
    min: 1,
    max: 600,
    since: 'ours',
    help: 'How many seconds to wait for a connection to the directory, and for each of its answers.',
  }),
  serviceDn: optionalText('auth.ldap.service_dn', {
    help: 'Account that looks users up. Without it the directory is asked anonymously.',
  }),
  servicePassword: text('auth.ldap.service_password', {
    default: '',
    secret: true,
    help: 'Password of that account.',
  }),
  serviceUsername: optionalText('auth.ldap.service_username', {
    help: 'Name under which auth.ldap.service_dn may log in here, as an administrator.',
  }),
  userDnFormat: optionalText('auth.ldap.user_dn_format', {
    help: 'DN of a user with {username} in it. Either this, or auth.ldap.base_dn with auth.ldap.user_search_filter.',
  }),
  baseDn: optionalText('auth.ldap.base_dn', {help: 'Where users are searched.'}),
  userSearchFilter: optionalText('auth.ldap.user_search_filter', {
    help: 'Filter that finds one user, with {username} in it: (uid={username}).',
  }),
  adminField: optionalText('auth.ldap.admin_field', {help: 'Attribute that makes administrators.'}),
  adminValue: lines('auth.ldap.admin_value', {
    default: [],
    help: 'Values of auth.ldap.admin_field that make an administrator, one a line.',
  }),
  adminGroupDn: optionalText('auth.ldap.admin_group_dn', {
    since: '1.0.9',
    help: 'Group whose members are administrators. Needs auth.ldap.user_dn_format.',
  }),
  cacheTime: {
    ...optionalSeconds('auth.ldap.cache_time', {
      help: 'For how many seconds it is remembered who exists and who is an administrator, 300 at most and by default; 0 for not at all.',
    }),
    remark: (value: string) => (Number(value) > 300 ? 'more than 300 counts as 300' : undefined),
  },
  ignoreCert: bool('auth.ldap.ignore_cert', {default: false, help: 'Does not check the certificate.'}),
  ignoreReferrals: bool('auth.ldap.ignore_referrals', {
    default: false,
    help: 'Does not ask the servers to which the directory refers for users that it does not have itself.',
  }),
  ignoreMultipleResults: bool('auth.ldap.ignore_multiple_results', {
    default: false,
    help: 'Takes the first of several users that are found, instead of refusing.',
  }),
  fallback: {
    ...optionalText('auth.ldap.fallback', {
      since: '1.0.10',
      help: 'config: groups and rights come from this file.',
    }),
    remark: (value: string) => (value === 'config' ? undefined : 'only config has an effect'),
  },
  admins: configAccessFields.admins,
} as const

/** `auth.ldap.url` may name several; a DN at the end of one holds commas too. */
export const directoryUrls = (text: string): string[] => text.split(/[\s,]+(?=ldap)/i).filter(Boolean)

const usernameIn = (template: string | undefined): boolean => template?.includes('{username}') ?? true

function* checkLdap(ldap: Values<typeof ldapAccessFields>): Generator<{key: string; message: string}> {
  const wrong = directoryUrls(ldap.url).find(url => !/^ldap(?:s?:\/\/|i:\/\/.)/i.test(url))
  if (wrong !== undefined) {
    yield {
      key: 'auth.ldap.url',
      message: `found ${JSON.stringify(wrong)}, expected ldap://host or ldaps://host`,
    }
  }
  const searches = ldap.baseDn !== undefined || ldap.userSearchFilter !== undefined
  if (ldap.userDnFormat !== undefined && searches) {
    yield {
      key: 'auth.ldap.user_dn_format',
      message: 'excludes auth.ldap.base_dn and auth.ldap.user_search_filter: keep one of the two ways',
    }
  }
  if (ldap.userDnFormat === undefined && (ldap.baseDn === undefined || ldap.userSearchFilter === undefined)) {
    yield {
      key: 'auth.ldap.user_dn_format',
      message: 'missing: ldap needs it, or both auth.ldap.base_dn and auth.ldap.user_search_filter',
    }
  }
  for (const [key, template] of [
    ['auth.ldap.user_dn_format', ldap.userDnFormat],
    ['auth.ldap.user_search_filter', ldap.userSearchFilter],
  ] as const) {
    if (!usernameIn(template)) yield {key, message: 'lacks {username}: every name would be the same user'}
  }
  if (ldap.adminGroupDn !== undefined && ldap.userDnFormat === undefined) {
    yield {key: 'auth.ldap.admin_group_dn', message: 'needs auth.ldap.user_dn_format beside it'}
  }
  if (ldap.serviceUsername !== undefined && ldap.serviceDn === undefined) {
    yield {key: 'auth.ldap.service_username', message: 'needs auth.ldap.service_dn beside it'}
  }
}

/** `pypi.auth = aws_secrets_manager`. */
export const secretsManagerAccessFields = {
  secretId: text('auth.secret_id', {required: true, help: 'Name or ARN of the secret.'}),
  regionName: optionalText('auth.region_name', {help: 'AWS region of the secret.'}),
  accessKeyId: optionalText('auth.aws_access_key_id', {
    help: 'Access key. Without one the usual AWS sources are asked.',
  }),
  secretAccessKey: optionalText('auth.aws_secret_access_key', {secret: true, help: 'Secret key.'}),
  sessionToken: optionalText('auth.aws_session_token', {
    secret: true,
    help: 'Token of temporary credentials.',
  }),
  profileName: optionalText('auth.profile_name', {help: 'Profile of the shared AWS files.'}),
  kmsKeyId: optionalText('auth.kms_key_id', {help: 'Key that encrypts the secret, from its next change on.'}),
  endpointUrl: optionalText('auth.endpoint_url', {
    since: 'ours',
    help: 'Address of a service that speaks like AWS Secrets Manager, or of a VPC endpoint.',
  }),
} as const

const uri = (name: string, help: string) => text(`auth.uri.${name}`, {default: `/${name}`, help})

/** `pypi.auth = remote`. */
export const remoteAccessFields = {
  backendServer: text('auth.backend_server', {
    required: true,
    help: 'Address of the server that decides; the paths of auth.uri.* are appended as they stand.',
  }),
  user: optionalText('auth.user', {help: 'User name for HTTP Basic authentication there.'}),
  password: optionalText('auth.password', {secret: true, help: 'Password for it.'}),
  timeout: int('auth.timeout', {
    since: 'ours',
    default: 10,
    min: 1,
    max: 300,
    help: 'Seconds that an answer of it may take.',
  }),
  cacheTime: seconds('auth.cache_time', {
    since: 'ours',
    default: 1,
    help: 'How long its answers are remembered, and with 0 nothing, not even for a minute that a password was right.',
  }),
  verifyUri: uri('verify', 'Path that checks a user name and password.'),
  groupsUri: uri('groups', 'Path that lists the groups of a user, or all.'),
  groupMembersUri: uri('group_members', 'Path that lists the members of a group.'),
  adminUri: uri('admin', 'Path that says whether a user is an administrator.'),
  groupPermissionsUri: uri('group_permissions', 'Path that lists the rights of groups on a project.'),
  userPermissionsUri: uri('user_permissions', 'Path that lists the rights of users on a project.'),
  userPackagePermissionsUri: uri('user_package_permissions', 'Path that lists the rights of a user.'),
  groupPackagePermissionsUri: uri('group_package_permissions', 'Path that lists the rights of a group.'),
  userDataUri: uri('user_data', 'Path that lists users, or describes one.'),
} as const

/** By the short name that `pypi.auth` has. */
export const accessSchemas: Readonly<Record<string, BackendSchema>> = {
  config: backendSchema(configAccessFields),
  sql: backendSchema(sqlAccessFields),
  ldap: backendSchema(ldapAccessFields, checkLdap),
  aws_secrets_manager: backendSchema(secretsManagerAccessFields),
  remote: backendSchema(remoteAccessFields, function* ({backendServer}) {
    if (!/^https?:\/\/[^/?#]/i.test(backendServer) || !URL.canParse(backendServer)) {
      yield {
        key: 'auth.backend_server',
        message: 'expected an address like https://HOST or http://HOST:PORT/PATH',
      }
    }
  }),
}
