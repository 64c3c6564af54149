import type {ObjectCannedACL, ServerSideEncryption, StorageClass} from '@aws-sdk/client-s3'
import type {S3Values} from './settings.js'

/** How new objects are kept, as the config has it; what the service thinks of the words it says itself. */
export const protectionOf = ({
  objectAcl,
  storageClass,
  serverSideEncryption,
  sseKmsKeyId,
}: S3Values): {
  ACL?: ObjectCannedACL
  StorageClass?: StorageClass
  ServerSideEncryption?: ServerSideEncryption
  SSEKMSKeyId?: string
} => ({
  ...(objectAcl !== undefined && {ACL: objectAcl as ObjectCannedACL}),
  ...(storageClass !== undefined && {StorageClass: storageClass as StorageClass}),
  ...(serverSideEncryption !== undefined && {
    ServerSideEncryption: serverSideEncryption as ServerSideEncryption,
  }),
  ...(sseKmsKeyId !== undefined && {SSEKMSKeyId: sseKmsKeyId}),
})
