import {createHash} from 'node:crypto'
import type {FastifyReply, FastifyRequest} from 'fastify'
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
  {index}: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  {file, ending}: {readonly file: DistFile; readonly ending: BesideEnding},
): Promise<FastifyReply> {
  const found =
    ending === '.metadata'
      ? {...(await index.coreMetadata.of(file)), type: metadataType}
      : {bytes: undefined, sha256: undefined, type: ''}
  const {bytes, sha256, type} = found
  if (!bytes || sha256 === undefined) throw notFound()
  return sendSmall(request, reply, {bytes, sha256, type})
}

/** Core metadata from wherever. */
export const sendMetadata = (request: FastifyRequest, reply: FastifyReply, bytes: Buffer): FastifyReply =>
  sendSmall(request, reply, {
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    type: metadataType,
  })

function sendSmall(
  request: FastifyRequest,
  reply: FastifyReply,
  {bytes, sha256, type}: {readonly bytes: Buffer; readonly sha256: string; readonly type: string},
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
