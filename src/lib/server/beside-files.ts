import type {FastifyReply, FastifyRequest} from 'fastify'
import {digestOf, findProvenance} from '../index/attestations.js'
import {describeMetadata} from '../index/core-metadata.js'
import type {DistFile} from '../packaging/dist-file.js'
import type {Context} from './context.js'
import {matchesEtag} from './http/conditional.js'
import {notFound} from './http/errors.js'

/** Endings behind a file's address. No file can be published under such a name. */
export const besideEndings = ['.metadata', '.provenance'] as const
export type BesideEnding = (typeof besideEndings)[number]

export const metadataType = 'text/plain; charset=UTF-8'
/** That of the public index, which clients of attestations know. */
export const provenanceType = 'application/vnd.pypi.integrity.v1+json'

/** The file that an address is about, and what of it. */
export function splitBeside(filename: string): {readonly filename: string; readonly ending?: BesideEnding} {
  const ending = besideEndings.find(known => filename.endsWith(known))
  return ending ? {filename: filename.slice(0, -ending.length), ending} : {filename}
}

/** Sends the core metadata of a wheel (PEP 658) or what attests a file (PEP 740). @throws {HttpError} 404. */
export async function sendBeside(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  {file, ending}: {readonly file: DistFile; readonly ending: BesideEnding},
): Promise<FastifyReply> {
  const found = await (ending === '.metadata' ? metadataOf(context, file) : attestationsOf(context, file))
  if (!found) throw notFound()
  return sendSmall(request, reply, found)
}

/** Core metadata from wherever. */
export const sendMetadata = (request: FastifyRequest, reply: FastifyReply, bytes: Buffer): FastifyReply =>
  sendSmall(request, reply, {...describeMetadata(bytes), type: metadataType})

interface Beside {
  readonly bytes: Buffer
  /** Hex. */
  readonly sha256: string
  readonly type: string
}

function sendSmall(
  request: FastifyRequest,
  reply: FastifyReply,
  {bytes, sha256, type}: Beside,
): FastifyReply {
  const etag = `"${sha256}"`
  void reply.header('etag', etag).header('cache-control', 'private, no-cache')
  if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send()
  void reply
    .header('content-type', type)
    .header('x-content-type-options', 'nosniff')
    .header('content-length', bytes.length)
  return reply.send(request.method === 'HEAD' ? null : bytes)
}

async function metadataOf({index}: Context, file: DistFile): Promise<Beside | undefined> {
  const found = await index.coreMetadata.of(file)
  return found && {...found, type: metadataType}
}

async function attestationsOf({storage}: Context, file: DistFile): Promise<Beside | undefined> {
  const text = await findProvenance(storage, file)
  return text === undefined
    ? undefined
    : {bytes: Buffer.from(text), sha256: digestOf(text), type: provenanceType}
}
