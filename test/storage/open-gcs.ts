import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {readConfig} from '../../src/lib/config/config.js'
import {openGcsStore} from '../../src/lib/storage/gcs/gcs.js'
import type {ObjectStore} from '../../src/lib/storage/storage.js'

export const gcsConfigText = (endpoint: string, settings: Readonly<Record<string, string>> = {}): string =>
  [
    '[app:main]',
    'use = egg:pypicloud',
    'pypi.storage = gcs',
    'db.url = sqlite:///%(here)s/cache.db',
    ...Object.entries({
      'storage.bucket': 'packages',
      'storage.gcp_api_endpoint': endpoint,
      'storage.gcp_project_id': 'test-project',
      ...settings,
    })
      .filter(([, value]) => value !== '')
      .map(([key, value]) => `${key} = ${value}`),
    '',
  ].join('\n')

let count = 0
/** Opens a bucket of the service at `endpoint` by a config in `directory`. An empty setting takes one away. */
export async function openGcs(
  directory: string,
  endpoint: string,
  settings: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<ObjectStore> {
  const file = join(directory, `gcs-${(count += 1)}.ini`)
  await writeFile(file, gcsConfigText(endpoint, settings))
  return openGcsStore(await readConfig(file, {environment}))
}
