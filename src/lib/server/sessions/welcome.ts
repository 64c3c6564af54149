import type {FastifyReply, FastifyRequest} from 'fastify'
import type {Verified} from '../../access/logins.js'
import {sendJson, type Context} from '../context.js'
import {isBrowserForm, seeOther} from '../pages/browser-form.js'

/** Begins a session. A browser goes on to the front page; a script is told where that is, and what changes need. */
export async function welcome(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  verified: Verified,
): Promise<FastifyReply> {
  const token = await context.sessions.begin(reply, verified)
  if (isBrowserForm(request)) return seeOther(request, reply)
  return sendJson(context, reply, {next: `${context.address.root(request)}/`, csrf_token: token})
}
