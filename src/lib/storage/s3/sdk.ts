/** What of the AWS SDK the storage uses. Modules that everybody loads do so by `S3Api.sdk`. */
export {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
export {regionOfProfile, s3Client} from './client.js'
