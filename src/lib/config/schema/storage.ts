import {
  bool,
  keyPrefix,
  optionalBool,
  optionalChoice,
  optionalInt,
  optionalText,
  seconds,
  size,
  table,
  text,
  verify,
} from '../fields.js'
import {backendSchema, type BackendSchema, type Contradiction} from './schema.js'

/** Of every storage that is reached over a network. */
export const diskCacheFields = {
  diskCacheDir: optionalText('storage.disk_cache.dir', {
    since: 'ours',
    help: 'Directory of this machine that keeps what was downloaded last, so that it need not be fetched from the storage again. Files then come through this server, unless pypi.stream_files = false says that clients are redirected.',
  }),
  diskCacheMaxSize: size('storage.disk_cache.max_size', {
    default: 10 * 1000 ** 3,
    since: 'ours',
    help: 'What the directory may hold at most, half-filled files included; the least recently used ones go.',
  }),
} as const

/** `pypi.storage = file` (COMPAT §1.6). */
export const fileStorageFields = {
  dir: text('storage.dir', {
    required: true,
    help: 'Directory that holds the distribution files. Made with its parents when it is missing; a relative path counts from the working directory.',
  }),
  diskCacheDir: optionalText('storage.disk_cache.dir', {
    since: 'ours',
    ignored: 'the files are on a disk already',
    help: 'For storages that are reached over a network.',
  }),
} as const

/** Of every storage with buckets: s3, cloudfront and gcs. */
const bucketFields = {
  ...diskCacheFields,
  bucket: text('storage.bucket', {required: true, help: 'Name of the bucket.'}),
  prefix: keyPrefix('storage.prefix', {
    default: '',
    help: 'Put in front of every key as it stands: write a slash at its end if you want one.',
  }),
  prependHash: bool('storage.prepend_hash', {
    default: true,
    help: 'Begins keys with four hexadecimal digits of a hash, which spreads them over partitions.',
  }),
  expireAfter: seconds('storage.expire_after', {
    default: 24 * 3600,
    help: 'How long a signed link works.',
  }),
  redirectUrls: bool('storage.redirect_urls', {
    default: true,
    help: 'Links of project pages lead to this server, which redirects to the storage. False puts signed links into the pages.',
  }),
  objectAcl: optionalText('storage.object_acl', {help: 'Canned ACL given to new objects.'}),
  storageClass: optionalText('storage.storage_class', {
    since: '1.0.5',
    help: 'Storage class of new objects.',
  }),
  regionName: optionalText('storage.region_name', {help: 'Region of the bucket, also where it is created.'}),
  publicUrl: bool('storage.public_url', {
    default: false,
    since: '1.0.6',
    help: 'Links are unsigned, for buckets that everybody may read.',
  }),
} as const

/** `pypi.storage = s3`. */
export const s3StorageFields = {
  ...bucketFields,
  expireAfter: {
    ...bucketFields.expireAfter,
    remark: (value: string) =>
      Number(value) > 604_800 ? 'links are signed for 604800 seconds, seven days, at most' : undefined,
  },
  host: optionalText('storage.host', {
    deprecated: 'write storage.endpoint_url = https://HOST:PORT',
    help: 'Host of an S3-compatible service, as files of pypicloud 0.x have it. Read where there is no storage.endpoint_url.',
  }),
  port: optionalInt('storage.port', {
    min: 1,
    max: 65_535,
    deprecated: 'write storage.endpoint_url = https://HOST:PORT',
    help: 'Port of storage.host.',
  }),
  isSecure: bool('storage.is_secure', {
    default: true,
    deprecated: 'write storage.endpoint_url = http://HOST:PORT or https://HOST:PORT',
    help: 'Speaks HTTPS to storage.host.',
  }),
  accessKeyId: optionalText('storage.aws_access_key_id', {
    help: 'Access key. Without one the usual AWS sources are asked: environment, shared files, container, instance.',
  }),
  secretAccessKey: optionalText('storage.aws_secret_access_key', {secret: true, help: 'Secret key.'}),
  sessionToken: optionalText('storage.aws_session_token', {
    secret: true,
    help: 'Token of temporary credentials.',
  }),
  endpointUrl: optionalText('storage.endpoint_url', {
    help: 'Address of an S3-compatible service. Makes path-style addresses unless storage.addressing_style says otherwise.',
  }),
  apiVersion: optionalText('storage.api_version', {
    ignored: 'the S3 API has had one version only',
    help: 'Version of the S3 API.',
  }),
  useSsl: bool('storage.use_ssl', {
    default: true,
    help: 'Speaks HTTPS where storage.endpoint_url does not say.',
  }),
  verify: verify('storage.verify', {help: 'Checks the certificate of the service.'}),
  signatureVersion: {
    ...optionalText('storage.signature_version', {
      help: 'Requests and links are always signed with version 4, which s3v4 asks for.',
    }),
    remark: (value: string) =>
      value === '' || value === 's3v4' ? undefined : 'everything is signed with version 4 (s3v4)',
  },
  userAgent: optionalText('storage.user_agent', {help: 'User-Agent header of requests to the service.'}),
  userAgentExtra: optionalText('storage.user_agent_extra', {help: 'Appended to the User-Agent header.'}),
  connectTimeout: optionalInt('storage.connect_timeout', {min: 0, help: 'Seconds until connecting fails.'}),
  readTimeout: optionalInt('storage.read_timeout', {
    min: 0,
    help: 'Seconds without data until a read fails.',
  }),
  maxPoolConnections: optionalInt('storage.max_pool_connections', {
    min: 1,
    help: 'Connections to the service at one time.',
  }),
  parameterValidation: optionalBool('storage.parameter_validation', {
    ignored: 'requests are always checked',
    help: 'Checks parameters before they are sent.',
  }),
  proxies: table('storage.proxies', {help: 'Proxies by scheme, one "https = http://proxy:3128" a line.'}),
  useAccelerateEndpoint: bool('storage.use_accelerate_endpoint', {
    default: false,
    help: 'Uses S3 Transfer Acceleration. Without effect beside storage.endpoint_url.',
  }),
  payloadSigningEnabled: optionalBool('storage.payload_signing_enabled', {
    help: 'Signs the bodies of uploads too.',
  }),
  addressingStyle: optionalChoice('storage.addressing_style', ['auto', 'virtual', 'path'], {
    help: 'Where the bucket name goes: into the host (virtual) or into the path.',
  }),
  serverSideEncryption: {
    ...optionalText('storage.server_side_encryption', {
      help: 'Encryption that the service applies: AES256 or aws:kms.',
    }),
    remark: (value: string) =>
      ['', 'AES256', 'aws:kms'].includes(value) ? undefined : 'expected AES256 or aws:kms, sent as it stands',
  },
  sseKmsKeyId: optionalText('storage.sse_kms_key_id', {
    since: 'ours',
    help: 'Key of the KMS that encrypts new objects, with storage.server_side_encryption = aws:kms. The key of the account by default.',
  }),
} as const

/** `pypi.storage = cloudfront`: S3 behind CloudFront. */
export const cloudFrontStorageFields = {
  ...s3StorageFields,
  expireAfter: bucketFields.expireAfter,
  domain: text('storage.cloud_front_domain', {
    required: true,
    help: 'Base address of the distribution with its scheme: https://d123.cloudfront.net.',
  }),
  keyId: optionalText('storage.cloud_front_key_id', {
    help: 'Id of the key pair that signs links. Without it links are not signed.',
  }),
  keyString: optionalText('storage.cloud_front_key_string', {
    secret: true,
    help: 'Private key in PEM. Wins over storage.cloud_front_key_file.',
  }),
  keyFile: optionalText('storage.cloud_front_key_file', {help: 'File with the private key in PEM.'}),
} as const

/** Predefined ACLs of objects, by their names in the JSON API. */
const gcsAcls: readonly string[] = [
  'authenticatedRead',
  'bucketOwnerFullControl',
  'bucketOwnerRead',
  'private',
  'projectPrivate',
  'publicRead',
]

/** pypicloud took the names of the XML API too: `public-read` is `publicRead`. */
export const gcsAclOf = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** `pypi.storage = gcs`. */
export const gcsStorageFields = {
  ...bucketFields,
  expireAfter: s3StorageFields.expireAfter,
  objectAcl: optionalText('storage.object_acl', {
    help: 'Predefined ACL given to new objects, as publicRead. Not for buckets with uniform access.',
  }),
  serviceAccountFile: optionalText('storage.gcp_service_account_json_filename', {
    environment: 'GOOGLE_APPLICATION_CREDENTIALS',
    help: 'JSON key file of the service account. Without it the default credentials of the environment count.',
  }),
  projectId: optionalText('storage.gcp_project_id', {help: 'Project that a missing bucket is created in.'}),
  useIamSigner: bool('storage.gcp_use_iam_signer', {
    default: false,
    since: '1.0.13',
    help: 'Signs links by the IAM service instead of a private key. With neither, this server sends the files itself.',
  }),
  iamSignerEmail: optionalText('storage.iam_signer_service_account_email', {
    since: '1.1.6',
    help: 'Service account that signs; that of the JSON key by default.',
  }),
  apiEndpoint: optionalText('storage.gcp_api_endpoint', {
    since: '1.3.12',
    environment: 'STORAGE_EMULATOR_HOST',
    help: 'Address of a private endpoint, whose signed links lead to storage.googleapis.com all the same, or with http:// of an emulator, which gets no credentials and to which its links lead.',
  }),
} as const

/** `pypi.storage = azure-blob`. */
export const azureStorageFields = {
  accountName: text('storage.storage_account_name', {
    required: true,
    since: '1.0.16',
    environment: 'AZURE_STORAGE_ACCOUNT',
    help: 'Name of the storage account.',
  }),
  accountKey: optionalText('storage.storage_account_key', {
    secret: true,
    since: '1.0.16',
    environment: 'AZURE_STORAGE_KEY',
    help: 'Key of the storage account. Without it storage.storage_sas_token counts, then the identity of the process: environment, workload identity, managed identity, login of the command line.',
  }),
  sasToken: optionalText('storage.storage_sas_token', {
    secret: true,
    since: 'ours',
    environment: 'AZURE_STORAGE_SAS_TOKEN',
    help: 'Shared access signature of the account, used where there is no key; one of the container gives no right to the notes beside it. Files are then sent through this server, because a token signs no links.',
  }),
  containerName: text('storage.storage_container_name', {
    required: true,
    since: '1.0.16',
    help: 'Name of the container. Made when it is missing, and a second one beside it, with -ppc-notes at its end, for notes on deleted projects.',
  }),
  accountUrl: optionalText('storage.storage_account_url', {
    since: '1.0.16',
    environment: 'AZURE_STORAGE_SERVICE_ENDPOINT',
    help: 'Address of the service; https://ACCOUNT.blob.core.windows.net by default. May end in a shared access signature.',
  }),
  ...diskCacheFields,
  prefix: bucketFields.prefix,
  expireAfter: bucketFields.expireAfter,
  redirectUrls: bool('storage.redirect_urls', {
    default: true,
    ignored: 'links of azure-blob always lead through this server',
    help: 'Read by pypicloud without effect.',
  }),
} as const

function* credentialsInPairs(values: {
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
}): Iterable<Contradiction> {
  if ((values.accessKeyId === undefined) !== (values.secretAccessKey === undefined)) {
    const [there, missing] =
      values.accessKeyId === undefined
        ? ['storage.aws_secret_access_key', 'storage.aws_access_key_id']
        : ['storage.aws_access_key_id', 'storage.aws_secret_access_key']
    yield {key: there, message: `needs ${missing} beside it`}
  }
}

/** By the short name that `pypi.storage` has. */
export const storageSchemas: Readonly<Record<string, BackendSchema>> = {
  file: backendSchema(fileStorageFields),
  s3: backendSchema(s3StorageFields, credentialsInPairs),
  cloudfront: backendSchema(cloudFrontStorageFields, function* (values) {
    yield* credentialsInPairs(values)
    if (values.keyId !== undefined && values.keyString === undefined && values.keyFile === undefined) {
      yield {
        key: 'storage.cloud_front_key_id',
        message: 'needs storage.cloud_front_key_file or storage.cloud_front_key_string to sign with',
      }
    }
  }),
  gcs: backendSchema(gcsStorageFields, function* ({publicUrl, objectAcl, apiEndpoint}) {
    if (publicUrl) yield {key: 'storage.public_url', message: 'true is not possible with gcs'}
    if (objectAcl !== undefined && !gcsAcls.includes(gcsAclOf(objectAcl))) {
      yield {key: 'storage.object_acl', message: `expected one of ${gcsAcls.join(', ')}`}
    }
    if (apiEndpoint !== undefined && !/^https?:\/\/[^/]+\/*$/.test(apiEndpoint)) {
      yield {
        key: 'storage.gcp_api_endpoint',
        message: 'expected a scheme and a host, as https://storage.example.com',
      }
    }
  }),
  'azure-blob': backendSchema(azureStorageFields),
}
