import type {FastifyRequest} from 'fastify'
import type {PublicAddress} from './address.js'
import {redirect} from './errors.js'

/** As pypicloud: 302 to the same address with a slash at its end, the query kept, the body as Accept wants. Absolute, where the host is known. */
export function redirectToSlash(address: PublicAddress) {
  return (request: FastifyRequest): never => {
    const [path, query] = splitQuery(request.url)
    const target = `${address.root(request)}${path}/${query === undefined ? '' : `?${query}`}`
    throw redirect(target)
  }
}

const splitQuery = (url: string): [string, string | undefined] => {
  const question = url.indexOf('?')
  return question < 0 ? [url, undefined] : [url.slice(0, question), url.slice(question + 1)]
}
