import type {Config} from '../config/config.js'
import {findBackend, type BackendEntry, type Opener} from '../registry.js'
import type {ObjectStore} from './storage.js'

/** The values that `pypi.storage` may have. */
export const storages: readonly BackendEntry<ObjectStore>[] = [
  {
    name: 'file',
    aliases: ['pypicloud.storage.FileStorage', 'pypicloud.storage.files.FileStorage'],
    load: async () => (await import('./file/file.js')).openFileStore,
  },
  {
    name: 's3',
    aliases: ['pypicloud.storage.S3Storage', 'pypicloud.storage.s3.S3Storage'],
    load: async () => (await import('./s3/s3.js')).openS3Store,
  },
  {
    name: 'cloudfront',
    aliases: ['pypicloud.storage.CloudFrontS3Storage', 'pypicloud.storage.s3.CloudFrontS3Storage'],
    load: async () => (await import('./s3/cloudfront.js')).openCloudFrontStore,
  },
  {
    name: 'gcs',
    aliases: ['pypicloud.storage.GoogleCloudStorage', 'pypicloud.storage.gcs.GoogleCloudStorage'],
    load: async () => (await import('./gcs/gcs.js')).openGcsStore,
  },
  {
    name: 'azure-blob',
    aliases: ['pypicloud.storage.AzureBlobStorage', 'pypicloud.storage.azure_blob.AzureBlobStorage'],
    load: async () => (await import('./azure-blob/azure-blob.js')).openAzureBlobStore,
  },
]

export const findStorage = (config: Config): Promise<Opener<ObjectStore>> =>
  findBackend('pypi.storage', storages, config.core.storage, config)
