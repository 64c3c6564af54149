import {createHash} from 'node:crypto'
import type {Readable} from 'node:stream'
import {NotFound, PpcError} from '../../errors.js'
import {equalDigests} from '../../packaging/hashes.js'
import {spool, type Spool} from '../spool.js'
import {failure, show, type UpstreamConnection} from './connection.js'
import {UpstreamDown, UpstreamRefused} from './errors.js'
import {checkStatus} from './projects.js'
import type {UpstreamFile} from './project.js'

/** Seconds for a whole file: who sends it drop by drop does not hold a place for ever. */
const fileSeconds = 3600
/** In the order in which one of them is checked. */
const trusted = ['sha256', 'sha512', 'sha384'] as const

export interface DownloadOptions {
  /** Where the bytes are kept meanwhile. Undefined: the system's temporary directory. */
  readonly directory: string | undefined
  /** Bytes. */
  readonly maxSize: number
}

export interface Downloaded {
  /** The caller disposes of it. */
  readonly spooled: Spool
  /** The digest that was compared; undefined where the upstream tells none that is worth it. */
  readonly checked: (typeof trusted)[number] | undefined
}

/**
 * A file of the upstream, whole and with the digest that its page tells.
 * @throws {UpstreamDown} @throws {NotFound} @throws {UpstreamRefused} for other bytes than were announced.
 * @throws {StorageFailed}
 */
export async function downloadFile(
  connection: UpstreamConnection,
  file: UpstreamFile,
  {directory, maxSize}: DownloadOptions,
): Promise<Downloaded> {
  const url = new URL(file.url)
  const tooLarge = () =>
    new UpstreamRefused(`${show(url)} is larger than ${maxSize} bytes, see pypi.max_upload_size`)
  if ((file.size ?? 0) > maxSize) throw tooLarge()
  const answer = await connection.get(url, {
    wanted: 'file',
    headers: {accept: '*/*', 'accept-encoding': 'identity'},
    totalSeconds: fileSeconds,
  })
  if (answer.status === 404 || answer.status === 410) {
    answer.body.destroy()
    throw new NotFound(`${show(url)} is not there, although the upstream's page lists it`)
  }
  checkStatus(answer)
  const length = answer.header('content-length')
  const checked = trusted.find(kind => file.hashes[kind] !== undefined)
  let spooled: Spool
  try {
    spooled = await spool(answer.body, directory, {maxSize, tooLarge, blake2: false})
  } catch (error) {
    throw error instanceof PpcError ? error : failure(url, error)
  } finally {
    answer.body.destroy()
  }
  try {
    if (length !== undefined && Number(length) !== spooled.body.size) {
      throw new UpstreamDown(`${show(url)} ended after ${spooled.body.size} of ${length} bytes`)
    }
    await checkBytes(file, spooled, checked)
    return {spooled, checked}
  } catch (error) {
    await spooled[Symbol.asyncDispose]()
    throw error
  }
}

/** @throws {UpstreamRefused} naming both values. */
async function checkBytes(
  file: UpstreamFile,
  {body, digests}: Spool,
  checked: Downloaded['checked'],
): Promise<void> {
  const where = show(new URL(file.url))
  if (file.size !== undefined && file.size !== body.size) {
    throw new UpstreamRefused(`${where}: ${body.size} bytes came, the upstream's page says ${file.size}`)
  }
  for (const kind of checked === undefined ? (['md5'] as const) : ([checked, 'md5'] as const)) {
    const told = file.hashes[kind]
    if (told === undefined) continue
    const actual = kind === 'sha256' || kind === 'md5' ? digests[kind] : await hash(kind, body.open())
    if (equalDigests(told, actual)) continue
    throw new UpstreamRefused(
      `${where}: the bytes that came have ${kind} ${actual}, the upstream's page says ${told}`,
    )
  }
}

async function hash(kind: string, stream: Readable): Promise<string> {
  const hashing = createHash(kind)
  for await (const part of stream) hashing.update(part as Buffer)
  return hashing.digest('hex')
}
