import type {FastifyReply, FastifyRequest} from 'fastify'
import type {Verified} from '../../access/logins.js'
import {changePassword, register} from '../accounts.js'
import {denied, identify, sendEmpty, type Context} from '../context.js'
import {forbidden} from '../http/errors.js'
import {readParameters} from '../http/parameters.js'
import {empty, json, note} from '../routing/answers.js'
import {route, type Argument, type Route, type RouteRequest} from '../routing/route.js'

/** Registration by oneself, and one's own password. */
export function userRoutes(context: Context): Route[] {
  /** The first administrator is logged in. */
  const answerRegistered = async (reply: FastifyReply, admin: Verified | undefined) => {
    if (admin && context.sessions.areKept) await context.sessions.begin(reply, admin)
    return sendEmpty(reply)
  }
  const registerInPath = async (request: RouteRequest<'user'>, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    return answerRegistered(reply, await register(context, request.params.user, parameters.text('password')))
  }
  const registerInBody = async (request: FastifyRequest, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    const [name, password] = [parameters.text('username'), parameters.text('password')]
    return answerRegistered(reply, await register(context, name, password))
  }
  const change = async (request: FastifyRequest, reply: FastifyReply) => {
    const identity = await identify(context, request)
    const {username, limits} = identity
    if (username === undefined) throw denied(context, identity)
    if (limits) throw forbidden('An API token can not change a password.')
    const parameters = await readParameters(request)
    const [old, wanted] = [parameters.text('old_password'), parameters.text('new_password')]
    const address = context.address.client(request)
    const verified = await changePassword(context, {username, old, wanted, address})
    // This session goes on as a new one; the others have ended.
    if (context.sessions.wasUsed(request)) await context.sessions.begin(reply, verified)
    return sendEmpty(reply)
  }
  return [
    route({
      about: 'Asks for an account. The first one of a new installation becomes its administrator.',
      method: 'PUT',
      path: '/api/user/:user',
      audit: 'user.register',
      who: 'anybody',
      arguments: [password],
      answers: registered,
      handler: registerInPath,
    }),
    route({
      about: 'Changes the own password.',
      method: 'POST',
      path: '/api/user/password',
      audit: 'user.password',
      who: 'user',
      arguments: [
        {name: 'old_password', about: 'Once more.'},
        {name: 'new_password', about: 'The one to come.'},
      ],
      answers: {
        200: empty('It is changed.'),
        400: json('Passwords are not kept here, or the new one is too long.', 'Problem'),
        409: note('Somebody else changed it meanwhile.'),
      },
      handler: change,
    }),
    route({
      about: 'Asks for an account, like PUT /api/user/:user.',
      method: 'PUT',
      path: '/acct/login',
      audit: 'user.register',
      who: 'anybody',
      arguments: [username, password],
      answers: registered,
      handler: registerInBody,
    }),
  ]
}

const username: Argument = {name: 'username', about: 'The name to log in with.'}
const password: Argument = {name: 'password', about: 'At most 100 characters.'}
const registered = {
  200: empty('An administrator can approve the account now.'),
  400: json('The user exists, or the name or password can not be taken.', 'Problem'),
  403: note('Nobody can register here.'),
}
