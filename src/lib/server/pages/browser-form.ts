import type {FastifyReply, FastifyRequest} from 'fastify'
import {preferred} from '../http/accept.js'
import {describe} from '../http/errors.js'
import {wayToRoot} from './document.js'

/** Whether a browser asks: scripts say at most that they take anything. */
export const isBrowser = ({headers}: FastifyRequest): boolean =>
  preferred(headers.accept ?? '', ['application/json', 'text/html'] as const) === 'text/html'

/** Whether a person filled a form in. */
export const isBrowserForm = (request: FastifyRequest): boolean =>
  (request.headers['content-type'] ?? '').toLowerCase().startsWith('application/x-www-form-urlencoded') &&
  isBrowser(request)

/** To a page of ours, after a form. @param to from the root of the application */
export const seeOther = (request: FastifyRequest, reply: FastifyReply, to = ''): FastifyReply =>
  reply
    .code(303)
    .header('location', `${wayToRoot(request)}${to}`)
    .header('cache-control', 'private, no-store')
    .send()

/** Does what a form asks for. What is wrong with it is shown `again` with the form to people, and as any error to scripts. */
export async function answerForm(
  request: FastifyRequest,
  reply: FastifyReply,
  {work, again}: {work: () => Promise<unknown>; again: (problem: string, status: number) => unknown},
): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    const {status, message, headers} = describe(error)
    if (!isBrowserForm(request) || status < 400 || status >= 500) throw error
    void reply.headers(headers)
    return again(message, status)
  }
}
