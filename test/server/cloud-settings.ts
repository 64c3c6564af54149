import {randomUUID} from 'node:crypto'
import type {Azurite} from '../services/azurite.js'
import type {Service} from '../services/index.js'

/** For a config: the bucket `packages`, with keys that may do everything. */
export const s3Settings = (
  url: string,
  {accessKeyId, secretAccessKey}: {readonly accessKeyId: string; readonly secretAccessKey: string},
  more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
  'pypi.storage': 's3',
  'storage.bucket': 'packages',
  'storage.endpoint_url': url,
  'storage.region_name': 'us-east-1',
  'storage.aws_access_key_id': accessKeyId,
  'storage.aws_secret_access_key': secretAccessKey,
  ...more,
})

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
