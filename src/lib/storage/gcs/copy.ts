import {isDeepStrictEqual} from 'node:util'
import {StorageFailed} from '../../errors.js'
import {objectPath, retrying, type GcsApi} from './api.js'
import {hasStatus, isMissingObject} from './errors.js'
import {fitting, objectFields, queryOf, resourceOf, type GcsObject, type NewObject} from './object.js'
import {deleteGeneration, statObject} from './put.js'

/** Large copies between places or classes take several requests. */
interface RewriteState {
  readonly done: boolean
  readonly rewriteToken?: string
  readonly resource?: GcsObject
}

/**
 * A copy inside the service (`objects.rewrite`), with metadata of its own, of the generation that was there at the start.
 * @returns undefined where the credentials of the target may not read the source.
 * @throws {GcsRefusal} with 412 when `object.expectedGeneration` is not what is there, 404 without a source.
 */
export async function rewriteObject(
  api: GcsApi,
  source: {readonly bucket: string; readonly key: string},
  object: NewObject,
  signal?: AbortSignal,
): Promise<GcsObject | undefined> {
  const {predefinedAcl, ifGenerationMatch} = queryOf(object)
  const [original, there] = await Promise.all([
    statObject(api, source).catch((error: unknown) => {
      if (hasStatus(error, 403) || hasStatus(error, 401)) return undefined
      throw error
    }),
    // saves a copy that would be refused at its end; fake-gcs-server would not even refuse it
    ifGenerationMatch === '0' ? isStored(api, object) : false,
  ])
  if (original === undefined) return undefined
  if (there) throw api.refusal(412, '')
  let state: RewriteState = {done: false}
  while (!state.done) {
    const call = {
      method: 'POST',
      path: `${objectPath(source.bucket, source.key)}/rewriteTo${objectPath(object.bucket, object.key).slice('/storage/v1'.length)}`,
      query: {
        destinationPredefinedAcl: predefinedAcl,
        ifGenerationMatch,
        sourceGeneration: original.generation,
        rewriteToken: state.rewriteToken,
        fields: `done,rewriteToken,resource(${objectFields})`,
      },
      headers: {'content-type': 'application/json; charset=UTF-8'},
      body: [Buffer.from(JSON.stringify(resourceOf(object)))],
    } as const
    state = await retrying(
      async number => {
        try {
          return await api.json<RewriteState>(call, {attempts: 1})
        } catch (error) {
          if (number === 1 || !hasStatus(error, 412)) throw error
          // the answer to an earlier attempt may have been lost, and the object be that attempt's
          const resource = await statObject(api, object)
          if (!isCopy(resource, original, object)) throw error
          return {done: true, resource}
        }
      },
      {signal},
    )
  }
  const copy = state.resource
  if (copy !== undefined && hasSameBytes(copy, original)) return copy
  if (copy !== undefined) await deleteGeneration(api, object, copy.generation)
  throw new StorageFailed('the copy has other bytes than the original')
}

const hasSameBytes = (copy: GcsObject, original: GcsObject): boolean =>
  copy.crc32c === original.crc32c && copy.size === original.size

const isCopy = (found: GcsObject, original: GcsObject, {metadata}: NewObject): boolean =>
  hasSameBytes(found, original) && isDeepStrictEqual(found.metadata ?? {}, fitting(metadata))

async function isStored(api: GcsApi, place: Pick<NewObject, 'bucket' | 'key'>): Promise<boolean> {
  try {
    await statObject(api, place)
    return true
  } catch (error) {
    if (isMissingObject(error)) return false
    throw error
  }
}
