import {problemOfUsername} from '../access/names.js'
import {checkAccountName, checkBucketName} from '../config/template.js'
import {UsageError} from '../errors.js'
import {askChoice, askNewPassword, askText, canPrompt, refuseToGuess, type Check} from './prompts.js'
import {readSecret, readSecretFile} from './secrets.js'

export const kinds = ['dev', 'test', 'prod'] as const
/** In the order of pypicloud's menu: people type the number. */
export const storageKinds = ['s3', 'gcs', 'filesystem', 'azure-blob'] as const

/** What was given by options and the environment; what is absent is asked for. */
export interface Given {
  readonly kind?: (typeof kinds)[number] | 'docker' | undefined
  readonly storage?: (typeof storageKinds)[number] | 'file' | undefined
  readonly accessKeyId?: string | undefined
  readonly secretAccessKeyFile?: string | undefined
  readonly bucket?: string | undefined
  readonly region?: string | undefined
  readonly accountName?: string | undefined
  readonly accountKeyFile?: string | undefined
  readonly container?: string | undefined
  readonly admin?: string | undefined
  readonly passwordFile?: string | undefined
  readonly passwordStdin?: boolean | undefined
}

/** Asks for what was not given; without a terminal it collects the names of the options instead. */
class Questions {
  readonly missing: string[] = []

  async text(given: string | undefined, option: string, message: string, check?: Check): Promise<string> {
    if (given === undefined) return this.ask(option, () => askText(message, check))
    const answer = given.trim()
    const refusal = answer === '' ? 'Type an answer' : check?.(answer)
    if (refusal !== undefined) throw new UsageError(`${option}: found "${given}": ${refusal}`)
    return answer
  }

  async secret(file: string | undefined, environment: string, option: string, message: string) {
    if (file !== undefined) return readSecretFile(file)
    const value = process.env[environment]
    return value ? value : this.ask(`${option} or ${environment}`, () => askText(message))
  }

  async choice<T extends string>(
    given: T | undefined,
    option: string,
    message: string,
    choices: readonly T[],
  ) {
    return given ?? this.ask(option, () => askChoice(message, choices))
  }

  async ask<T extends string>(option: string, ask: () => Promise<T>): Promise<T> {
    if (canPrompt()) return ask()
    this.missing.push(option)
    return '' as T
  }
}

/**
 * All answers that a config needs, in the order in which pypicloud asks.
 * @throws {UsageError} naming everything that is missing where there is no terminal.
 */
export async function askForConfig(given: Given) {
  const questions = new Questions()
  const kind = await questions.choice(
    given.kind,
    'one of --dev, --test, --prod, --docker',
    'What is this config file for?',
    kinds,
  )
  const storage = await askForStorage(questions, given)
  const admin = await questions.text(given.admin, '--admin', 'Admin username?', checkAdminName)
  const password = await askForPassword(questions, given)
  if (questions.missing.length > 0) refuseToGuess(questions.missing)
  return {kind, storage, admin, password}
}

async function askForStorage(questions: Questions, given: Given) {
  const asked = await questions.choice(
    given.storage,
    '--storage',
    'Where do you want to store your packages?',
    storageKinds,
  )
  switch (asked) {
    case 's3': {
      const accessKeyId =
        process.env['AWS_ACCESS_KEY_ID'] ??
        (await questions.text(
          given.accessKeyId,
          '--aws-access-key-id or AWS_ACCESS_KEY_ID',
          'AWS access key id?',
        ))
      const secretAccessKey = await questions.secret(
        given.secretAccessKeyFile,
        'AWS_SECRET_ACCESS_KEY',
        '--aws-secret-access-key-file',
        'AWS secret access key?',
      )
      const bucket = await questions.text(given.bucket, '--bucket', 'S3 bucket name?', checkBucketName)
      // Buckets with a dot can't be reached by a host name under a certificate: the region is needed.
      const region =
        given.region ??
        (bucket.includes('.') ? await questions.text(undefined, '--region', 'S3 bucket region?') : undefined)
      return {storage: 's3' as const, accessKeyId, secretAccessKey, bucket, ...(region && {region})}
    }
    case 'gcs': {
      const bucket = await questions.text(given.bucket, '--bucket', 'GCS bucket name?', checkBucketName)
      return {storage: 'gcs' as const, bucket}
    }
    case 'azure-blob': {
      const accountName = await questions.text(
        given.accountName,
        '--account-name',
        'Storage account name?',
        checkAccountName,
      )
      const accountKey = await questions.secret(
        given.accountKeyFile,
        'AZURE_STORAGE_KEY',
        '--account-key-file',
        'Storage account key?',
      )
      const container = await questions.text(given.container, '--container', 'Container name?')
      return {storage: 'azure-blob' as const, accountName, accountKey, container}
    }
    default:
      return {storage: 'file' as const}
  }
}

function askForPassword(questions: Questions, given: Given): Promise<string> {
  if (given.passwordStdin) return readSecret(process.stdin)
  if (given.passwordFile !== undefined) return readSecretFile(given.passwordFile)
  return questions.ask('--password-stdin or --password-file', () => askNewPassword())
}

const checkAdminName: Check = name => {
  const problem = /[=%]/.test(name)
    ? "holds '=' or '%', which a config can't hold in a key"
    : problemOfUsername(name)
  return problem === undefined ? undefined : `User name ${problem}`
}
