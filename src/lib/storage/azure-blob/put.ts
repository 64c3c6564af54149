import type {BlockBlobClient, BlockBlobUploadResponse} from '@azure/storage-blob'
import {createHash, randomUUID} from 'node:crypto'
import {setTimeout as sleep} from 'node:timers/promises'
import {azureCode, isBlobMissing, isConditionFailed} from './errors.js'
import {toAzureMetadata} from './metadata.js'
import {withRetries, type RetryOptions} from './retry.js'
import {BlockReader} from '../block-reader.js'
import type {ByteBudget} from '../byte-budget.js'
import {ObjectExists, type Body, type PutOptions} from '../storage.js'

/** Bytes that go in one request. */
const wholeSize = 8 << 20
/** Bytes of a block of what is larger; a blob has 50,000 blocks at most. */
const smallestBlock = 4 << 20
const mostBlocks = 50_000
/** Blocks of one blob on their way at the same time. */
const parallelBlocks = 4
/** Seconds for a request with its bytes. */
const patience = 300

export interface PutResult {
  readonly etag: string | undefined
  readonly lastModified: Date | undefined
  /** As it was sent. */
  readonly metadata: Readonly<Record<string, string>>
}

/** What every write of a blob says besides its bytes. */
interface Writing {
  readonly metadata: Record<string, string>
  readonly conditions: {readonly ifNoneMatch?: string}
}

/**
 * Stores a blob: a small one by one request, a larger one in blocks that become a blob only when their list is committed.
 * The service is told the MD5 of every request and refuses other bytes.
 * @param budget of the bytes that all uploads of the store may buffer: only what is buffered can be sent again.
 * @throws {ObjectExists} @throws {StorageFailed} when the body has another size than it said.
 */
export async function putBlob(
  blob: BlockBlobClient,
  body: Body,
  options: PutOptions,
  budget: ByteBudget,
): Promise<PutResult> {
  options.signal?.throwIfAborted()
  const writing: Writing = {
    metadata: toAzureMetadata(options.metadata ?? {}),
    conditions: options.replace ? {} : {ifNoneMatch: '*'},
  }
  const response =
    body.size <= wholeSize
      ? await putWhole(blob, body, options, writing, budget)
      : await putInBlocks(blob, body, options, writing, budget)
  return {etag: response.etag, lastModified: response.lastModified, metadata: writing.metadata}
}

type Written = Pick<BlockBlobUploadResponse, 'etag' | 'lastModified'>

async function putWhole(
  blob: BlockBlobClient,
  body: Body,
  {signal}: PutOptions,
  writing: Writing,
  budget: ByteBudget,
): Promise<Written> {
  const giveBack = await budget.take(body.size, signal)
  const reader = new BlockReader(body, signal)
  try {
    const bytes = await reader.read(body.size)
    const md5 = createHash('md5').update(bytes).digest()
    return await writeBlob(blob, {...writing, md5, signal, seconds: patience}, abortSignal =>
      blob.upload(bytes, bytes.length, {...writing, abortSignal, blobHTTPHeaders: headers(md5)}),
    )
  } finally {
    reader.close()
    giveBack()
  }
}

/**
 * Whoever commits a list first discards the uncommitted blocks of all others. Then this one begins again, unless it only
 * wanted to be the first.
 */
async function putInBlocks(
  blob: BlockBlobClient,
  body: Body,
  options: PutOptions,
  writing: Writing,
  budget: ByteBudget,
): Promise<Written> {
  const {replace, signal} = options
  for (let attempt = 1; ; attempt += 1) {
    if (!replace && (await exists(blob, signal))) throw new ObjectExists(`${blob.name} is already stored`)
    try {
      const {ids, md5} = await stageBlocks(blob, body, signal, budget)
      return await writeBlob(blob, {...writing, md5, signal, seconds: patience}, abortSignal =>
        blob.commitBlockList(ids, {...writing, abortSignal, blobHTTPHeaders: headers(md5)}),
      )
    } catch (error) {
      if (azureCode(error) !== 'InvalidBlockList' || attempt === 5) throw error
      await sleep(Math.random() * 200 * attempt)
    }
  }
}

/** @returns the ids of the blocks in order, and the digest of all their bytes. */
async function stageBlocks(
  blob: BlockBlobClient,
  body: Body,
  signal: AbortSignal | undefined,
  budget: ByteBudget,
): Promise<{ids: string[]; md5: Buffer}> {
  const blockSize = Math.max(smallestBlock, Math.ceil(body.size / mostBlocks))
  const ids: string[] = []
  const whole = createHash('md5')
  const stop = new AbortController()
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  const staging = new Set<Promise<void>>()
  const memories: Buffer[] = []
  const reader = new BlockReader(body, either)
  try {
    for (let offset = 0; offset < body.size; offset += blockSize) {
      if (staging.size === parallelBlocks) await Promise.race(staging)
      const giveBack = await budget.take(blockSize, either)
      const memory = memories.pop() ?? Buffer.allocUnsafeSlow(blockSize)
      let bytes: Buffer
      try {
        bytes = await reader.read(blockSize, memory)
      } catch (error) {
        giveBack()
        throw error
      }
      whole.update(bytes)
      const id = newBlockId()
      ids.push(id)
      const task = stageBlock(blob, id, bytes, either).finally(() => {
        giveBack()
        memories.push(memory)
        staging.delete(task)
      })
      task.catch(() => undefined) // awaited below
      staging.add(task)
    }
    await Promise.all(staging)
    return {ids, md5: whole.digest()}
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(staging)
    throw error
  } finally {
    reader.close()
  }
}

async function stageBlock(
  blob: BlockBlobClient,
  id: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const md5 = createHash('md5').update(bytes).digest()
  await withRetries(
    ({abortSignal}) => blob.stageBlock(id, bytes, bytes.length, {abortSignal, transactionalContentMD5: md5}),
    {signal, seconds: patience},
  )
}

/** As long as those of pypicloud: the service refuses ids of another length than those that a broken upload left. */
const newBlockId = (): string => Buffer.from(randomUUID()).toString('base64')

/**
 * The request that makes a blob visible.
 * @param md5 of all its bytes.
 * @throws {ObjectExists} where `send` is conditional.
 */
export async function writeBlob(
  blob: BlockBlobClient,
  {metadata, md5, ...retries}: {metadata: Record<string, string>; md5: Buffer} & RetryOptions,
  send: (abortSignal: AbortSignal) => Promise<Written>,
): Promise<Written> {
  return withRetries(async ({number, abortSignal}) => {
    try {
      return await send(abortSignal)
    } catch (error) {
      if (!isConditionFailed(error)) throw error
      // the answer to an earlier attempt may have been lost, and the blob be that attempt's
      const found = number > 1 ? await blob.getProperties({abortSignal}) : undefined
      if (found?.contentMD5 && md5.equals(found.contentMD5) && isSame(found.metadata, metadata)) return found
      throw new ObjectExists(`${blob.name} is already stored`)
    }
  }, retries)
}

const headers = (md5: Buffer) => ({blobContentMD5: md5, blobContentType: 'application/octet-stream'})

const isSame = (found: Record<string, string> = {}, sent: Record<string, string>): boolean =>
  Object.keys(found).length === Object.keys(sent).length &&
  Object.entries(found).every(([name, value]) => sent[name.toLowerCase()] === value)

async function exists(blob: BlockBlobClient, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await withRetries(({abortSignal}) => blob.getProperties({abortSignal}), {signal})
    return true
  } catch (error) {
    if (isBlobMissing(error)) return false
    throw error
  }
}
