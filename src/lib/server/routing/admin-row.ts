import type {FastifyReply} from 'fastify'
import type {Json} from '../../python-json.js'
import {sendEmpty, sendJson, type Context} from '../context.js'
import {empty, note, type Answer} from './answers.js'
import {route, type Argument, type ParameterOf, type Route, type RouteRequest} from './route.js'

/** What a route for administrators is made of. */
export interface AdminRow<Path extends string> extends Pick<
  Route<Path>,
  'about' | 'method' | 'path' | 'audit'
> {
  readonly arguments?: readonly Argument[]
  /** What it answers when it worked. Default: the empty answer to a change. */
  readonly gives?: Answer
  readonly fails?: Route['answers']
  /** A value for JSON, or nothing after a change, or nothing because it has answered. */
  readonly does: (request: RouteRequest<ParameterOf<NoInfer<Path>>>, reply: FastifyReply) => unknown
}

/** Makes rows of the route table whose handlers give values. */
export const adminRow =
  (context: Context) =>
  <Path extends string>({gives, fails, does, ...rest}: AdminRow<Path>): Route =>
    route<Path>({
      ...rest,
      who: 'admin',
      answers: {200: gives ?? empty('Done.'), ...fails},
      handler: async (request, reply) => {
        const value = await does(request, reply)
        if (reply.sent) return reply
        return value === undefined ? sendEmpty(reply) : sendJson(context, reply, value as Json)
      },
    })

export const refused = {400: note('The name can not be taken, or users and rights are not changed here.')}
