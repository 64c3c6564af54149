import {s3Settings} from '../server/cloud-settings.js'
import type {Azurite} from '../services/azurite.js'

const config = (settings: Readonly<Record<string, string>>): string =>
  [
    '[app:main]',
    'use = egg:pypicloud',
    'db.url = sqlite://',
    ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
    '',
  ].join('\n')

/** Configs of buckets on the services of the tests. */
export const s3Bucket = (
  endpoint: string,
  keys: {readonly accessKeyId: string; readonly secretAccessKey: string},
): string => config(s3Settings(endpoint, keys))

export const gcsBucket = (endpoint: string): string =>
  config({
    'pypi.storage': 'gcs',
    'storage.bucket': 'packages',
    'storage.gcp_api_endpoint': endpoint,
    'storage.gcp_project_id': 'test-project',
  })

export const azureContainer = ({url, accountName, accountKey}: Azurite): string =>
  config({
    'pypi.storage': 'azure-blob',
    'storage.storage_container_name': 'packages',
    'storage.storage_account_url': url,
    'storage.storage_account_name': accountName,
    'storage.storage_account_key': accountKey,
  })
