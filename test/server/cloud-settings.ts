import {randomUUID} from 'node:crypto'
import type {Azurite} from '../services/azurite.js'
import type {Service} from '../services/index.js'

/** For a config: a bucket of its own. */
export const gcsSettings = (
  {url}: Service,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
  'pypi.storage': 'gcs',
  'storage.bucket': `packages-${randomUUID()}`,
  'storage.gcp_api_endpoint': url,
  'storage.gcp_project_id': 'test-project',
  ...more,
})

/** For a config: a container of its own. */
export const azureSettings = ({url, accountName, accountKey}: Azurite): Record<string, string> => ({
  'pypi.storage': 'azure-blob',
  'storage.storage_account_name': accountName,
  'storage.storage_account_key': accountKey,
  'storage.storage_account_url': url,
  'storage.storage_container_name': `packages-${randomUUID()}`,
})
