import {sayNothingOfNodeVersion} from '../aws-node-version.js'
import {StorageFailed, UsageError} from '../errors.js'
import {isRecord} from '../tasks/sync/events.js'

/** `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`, or with `#MEMBER` at its end one member of a secret that is JSON. */
const reference = /^(arn:aws[\w-]*:secretsmanager:([\w-]+):\d*:secret:[^#\s]+)(?:#(.+))?$/

/** The settings with every value that names a secret replaced by the secret. Nothing is loaded where none does. */
export async function resolveSecrets(
  settings: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const resolved = Object.entries(settings).map(async ([key, value]) => [
    key,
    await resolveSecret(key, value),
  ])
  return Object.fromEntries(await Promise.all(resolved)) as Record<string, string>
}

/** @param key for messages. @returns `value` itself where it is no reference. */
export async function resolveSecret(key: string, value: string): Promise<string> {
  const [, arn, region, member] = reference.exec(value.trim()) ?? []
  if (arn === undefined || region === undefined) return value
  const text = await readSecret(key, arn, region)
  return member === undefined ? text : memberOf(text, member, key)
}

async function readSecret(key: string, arn: string, region: string): Promise<string> {
  const {GetSecretValueCommand, SecretsManagerClient} = await import('@aws-sdk/client-secrets-manager')
  sayNothingOfNodeVersion()
  const client = new SecretsManagerClient({region})
  try {
    const {SecretString: text} = await client.send(new GetSecretValueCommand({SecretId: arn}))
    if (text === undefined) throw new UsageError(`${key}: the secret ${arn} holds no text`)
    return text
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Error)) throw error
    throw new StorageFailed(`${key}: the secret ${arn} can't be read (${error.name})`, {
      cause: error,
      hint: 'The role of the function needs secretsmanager:GetSecretValue on it.',
    })
  } finally {
    client.destroy()
  }
}

function memberOf(text: string, member: string, key: string): string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // said below
  }
  const found = isRecord(value) && Object.hasOwn(value, member) ? value[member] : undefined
  if (typeof found === 'string' || typeof found === 'number') return String(found)
  throw new UsageError(`${key}: the secret has no member "${member}"`)
}
