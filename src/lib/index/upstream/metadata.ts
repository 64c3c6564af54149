import {createHash} from 'node:crypto'
import {equalDigests} from '../../packaging/hashes.js'
import {show, type UpstreamConnection} from './connection.js'
import {UpstreamRefused} from './errors.js'
import {checkStatus} from './projects.js'
import type {UpstreamFile} from './project.js'
import {readBody} from './read-body.js'

/** Bytes. */
const largestMetadata = 8 * 1024 * 1024
/** Seconds. */
const metadataSeconds = 30

/**
 * The core metadata that the upstream has beside a file. Undefined where it says that it has none.
 * @throws {UpstreamDown} @throws {UpstreamRefused} for other bytes than were announced.
 */
export async function fetchMetadata(
  connection: UpstreamConnection,
  file: UpstreamFile,
): Promise<Buffer | undefined> {
  if (!file.coreMetadata) return undefined
  const url = new URL(file.url)
  url.pathname += '.metadata'
  const answer = await connection.get(url, {
    wanted: 'metadata',
    headers: {accept: '*/*', 'accept-encoding': 'gzip'},
    totalSeconds: metadataSeconds,
  })
  checkStatus(answer)
  const bytes = await readBody(answer, largestMetadata)
  const {sha256} = file.coreMetadata
  const found = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== undefined && !equalDigests(sha256, found)) {
    throw new UpstreamRefused(`${show(url)} has sha256 ${found}, the upstream's page says ${sha256}`)
  }
  return bytes
}
