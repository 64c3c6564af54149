/* The config file that ppc-make-config writes: pypicloud's keys, in its order (COMPAT §7.2). */
import {randomBytes} from 'node:crypto'
import {InvalidInput} from '../errors.js'
import {escapePercent} from './ini.js'

/** What the file is for: `docker` keeps its data in /var/lib/pypicloud. */
export type ConfigKind = 'dev' | 'test' | 'prod' | 'docker'

export type StorageAnswers =
  | {readonly storage: 'file'}
  | {
      readonly storage: 's3'
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly bucket: string
      readonly region?: string
    }
  | {readonly storage: 'gcs'; readonly bucket: string}
  | {
      readonly storage: 'azure-blob'
      readonly accountName: string
      readonly accountKey: string
      readonly container: string
    }

export interface ConfigAnswers {
  readonly kind: ConfigKind
  readonly storage: StorageAnswers
  /** Name of the administrator. */
  readonly admin: string
  readonly passwordHash: string
  /** Address to listen on; all addresses by default, as pypicloud's files have it. */
  readonly host?: string
}

/**
 * The text of a config with fresh session keys. It ends with a line break.
 * @throws {InvalidInput} when an answer can't be written: a line break in it, or a user name that no key can hold.
 */
export function renderConfig(answers: ConfigAnswers): string {
  const {kind, passwordHash} = answers
  const admin = checkAdminName(answers.admin)
  const directory = kind === 'docker' ? '/var/lib/pypicloud' : '%(here)s'
  return `[app:main]
use = egg:pypicloud

pyramid.reload_templates = ${python(kind === 'dev')}
pyramid.debug_authorization = false
pyramid.debug_notfound = false
pyramid.debug_routematch = false
pyramid.default_locale_name = en

# Who may read, and who may write, projects that have no rules of their own
pypi.default_read =
    ${kind === 'prod' ? 'authenticated' : 'everyone'}
${kind === 'prod' ? '' : 'pypi.default_write =\n    authenticated\n'}
${storageLines(answers.storage, directory)}

db.url = sqlite:///${directory}/db.sqlite

auth.admins =
    ${escapePercent(admin)}
user.${admin} = ${value('password hash', passwordHash)}

# Cookies of the web pages: whoever knows these keys can log in as anybody
session.encrypt_key = ${sessionKey()}
session.validate_key = ${sessionKey()}
session.secure = ${python(kind === 'prod')}
session.invalidate_corrupt = true

###
# Where the server listens
###

${serverSection(answers)}
###
# What is logged, and where to
###

${loggingSections(kind)}`
}

function storageLines(answers: StorageAnswers, directory: string): string {
  const lines = [`pypi.storage = ${answers.storage}`]
  const set = (key: string, name: string, answer: string) => lines.push(`${key} = ${value(name, answer)}`)
  switch (answers.storage) {
    case 'file':
      lines.push(`storage.dir = ${directory}/packages`)
      break
    case 's3':
      set('storage.aws_access_key_id', 'access key id', answers.accessKeyId)
      set('storage.aws_secret_access_key', 'secret access key', answers.secretAccessKey)
      set('storage.bucket', 'bucket name', refusing(checkBucketName, answers.bucket))
      if (answers.region) set('storage.region_name', 'region', answers.region)
      break
    case 'gcs':
      set('storage.bucket', 'bucket name', refusing(checkBucketName, answers.bucket))
      break
    case 'azure-blob':
      set(
        'storage.storage_account_name',
        'storage account name',
        refusing(checkAccountName, answers.accountName),
      )
      set('storage.storage_account_key', 'storage account key', answers.accountKey)
      set('storage.storage_container_name', 'container name', answers.container)
  }
  return lines.join('\n')
}

function serverSection({kind, host = '0.0.0.0'}: ConfigAnswers): string {
  const address = value('host', host)
  if (kind === 'dev' || kind === 'test') {
    return `[server:main]
use = egg:waitress#main
host = ${address}
port = 6543
`
  }
  return `[uwsgi]
paste = config:%p
paste-logger = %p
master = true
processes = 20
reload-mercy = 15
worker-reload-mercy = 15
max-requests = 1000
enable-threads = true
http = ${address.includes(':') ? `[${address}]` : address}:8080
${kind === 'docker' ? 'uid = pypicloud\ngid = pypicloud\n' : ''}`
}

function loggingSections(kind: ConfigKind): string {
  const toFile = kind === 'prod'
  const handler = toFile ? 'file' : 'console'
  const libraries = `[logger_pypicloud]
level = DEBUG
qualname = pypicloud
handlers =

[logger_botocore]
level = WARN
qualname = botocore
handlers =

`
  return `[loggers]
keys = ${toFile ? 'root' : 'root, botocore, pypicloud'}

[handlers]
keys = ${handler}

[formatters]
keys = generic

[logger_root]
level = ${toFile ? 'WARN' : 'INFO'}
handlers = ${handler}

${toFile ? '' : libraries}[handler_${handler}]
class = ${toFile ? 'handlers.RotatingFileHandler' : 'StreamHandler'}
args = ${toFile ? "('/var/log/pypicloud.log', 'a', 1000000, 5)" : '(sys.stderr,)'}
level = NOTSET
formatter = generic

[formatter_generic]
format = %(levelname)s %(asctime)s [%(name)s] %(message)s
`
}

/** As pypicloud's template prints what Python computed. */
const python = (flag: boolean): string => (flag ? 'True' : 'False')
const sessionKey = (): string => randomBytes(32).toString('base64')

function value(name: string, answer: string): string {
  const text = answer.trim()
  if (/[\0-\x1f\x7f\u0085\u2028\u2029]/.test(text)) {
    throw new InvalidInput(
      `The ${name} holds a line break or another control character, which a config can't`,
    )
  }
  if (text === '') throw new InvalidInput(`The ${name} is empty`)
  return escapePercent(text)
}

function refusing(check: (name: string) => string | undefined, answer: string): string {
  const refusal = check(answer.trim())
  if (refusal !== undefined) throw new InvalidInput(refusal)
  return answer
}

/** A user name becomes part of a key, and an item of a list that blanks separate. */
function checkAdminName(name: string): string {
  if (/^$|[\s=:\0-\x1f\x7f]/.test(name)) {
    throw new InvalidInput(`User name ${JSON.stringify(name)} can't stand in a config: no blanks, "=" or ":"`)
  }
  return name
}

/** Why `name` is no bucket, in the words of the original's prompts; undefined when it may be one. */
export function checkBucketName(name: string): string | undefined {
  if (name.startsWith('.')) return "Bucket names cannot start with '.'"
  if (name.endsWith('.')) return "Bucket names cannot end with '.'"
  if (name.includes('..')) return "Bucket names cannot contain '..'"
  return undefined
}

/** Why `name` is no Azure storage account; undefined when it may be one. */
export function checkAccountName(name: string): string | undefined {
  return name.includes('.') ? "Storage account names cannot contain '.'" : undefined
}
