import {readConfig, type Config} from '../../src/lib/config/config.js'
import {writeFile} from 'node:fs/promises'
import {tempDir} from '../support/temp.js'

/** The key pair of all data in the fixtures; moto takes any. */
export const exampleKeys = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}

/** A config with S3 storage, read from a file that is gone afterwards. */
export async function s3Config(
  url: string | undefined,
  settings: Record<string, string> = {},
  keys = exampleKeys,
): Promise<Config> {
  await using directory = await tempDir()
  const file = directory.join('server.ini')
  const all: Record<string, string> = {
    'db.url': 'sqlite:///%(here)s/cache.db',
    'pypi.storage': 's3',
    'storage.bucket': 'packages',
    ...(url !== undefined && {'storage.endpoint_url': url}),
    'storage.aws_access_key_id': keys.accessKeyId,
    'storage.aws_secret_access_key': keys.secretAccessKey,
    'storage.region_name': 'us-east-1',
    ...settings,
  }
  const lines = Object.entries(all)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key} = ${value.replaceAll('\n', '\n    ')}`)
  await writeFile(file, `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
  return await readConfig(file, {environment: {}})
}
