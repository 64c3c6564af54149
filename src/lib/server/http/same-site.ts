import type {FastifyRequest} from 'fastify'
import {forbidden} from './errors.js'
import type {PublicAddress} from './address.js'

/**
 * A browser that holds somebody's Basic credentials can be led here by a foreign page. Tools send neither header.
 * @throws {HttpError} 403 when the request was made by a page of another origin.
 */
export function requireSameSite(request: FastifyRequest, address: PublicAddress): void {
  const site = request.headers['sec-fetch-site']
  if (site === 'same-origin' || site === 'none') return
  const {origin} = request.headers
  if (site === undefined && (origin === undefined || hostOf(origin) === address.host(request))) return
  throw forbidden('Another web site made this request.')
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}
