import type {FastifyReply, FastifyRequest} from 'fastify'
import {checkUsername} from '../../access/names.js'
import {hashPassword, resolveScheme} from '../../access/passwords/index.js'
import {readSignupToken} from '../../access/tokens.js'
import {passwordFields, tokenFields} from '../../config/schema/access.js'
import {InvalidInput} from '../../errors.js'
import {denied, identify, requireWriter, sendEmpty, sendJson, type Context} from '../context.js'
import {forbidden, HttpError} from '../http/errors.js'
import {readParameters} from '../http/parameters.js'
import {empty, json, note} from '../routing/answers.js'
import {route, type Argument, type Route, type RouteRequest} from '../routing/route.js'

const maxLength = 100

/** Registration, by oneself or with a token, and one's own password. */
export function userRoutes(context: Context): Route[] {
  const registerInPath = async (request: RouteRequest<'user'>, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    const password = parameters.text('password')
    await register(context, request.params.user, password)
    return sendEmpty(reply)
  }
  const changePassword = async (request: FastifyRequest, reply: FastifyReply) => {
    const identity = await identify(context, request)
    if (identity.username === undefined) throw denied(context, identity)
    const parameters = await readParameters(request)
    const [old, wanted] = [parameters.text('old_password'), parameters.text('new_password')]
    const writer = requireWriter(context.access)
    const account = await context.access.findAccount(identity.username)
    if (!(await context.policy.authenticate(identity.username, old))) throw forbidden()
    // Only over the hash that was just verified: of two changes at once, one fails.
    const written = await writer.setPasswordHash(
      identity.username,
      await hashFor(context, wanted),
      account?.passwordHash,
    )
    if (!written) throw new HttpError(409, 'The password was changed meanwhile')
    return sendEmpty(reply)
  }
  const registerInBody = async (request: FastifyRequest, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    await register(context, parameters.text('username'), parameters.text('password'))
    return sendEmpty(reply)
  }
  const registerByToken = async (request: FastifyRequest, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    const [token, password] = [parameters.text('token'), parameters.text('password')]
    const writer = requireWriter(context.access)
    const {signingKey, tokenExpire} = context.config.read(tokenFields)
    const username = readSignupToken(token, {key: signingKey, expireSeconds: tokenExpire})
    if (username === undefined) throw new HttpError(400, 'Invalid token')
    checkRegistration(username, password)
    await writer.addAccount({
      username,
      passwordHash: await hashFor(context, password),
      admin: false,
      pending: false,
    })
    return sendJson(context, reply, {next: `${context.address.root(request)}/`})
  }
  return [
    route({
      about: 'Asks for an account. The first one of a new installation becomes its administrator.',
      method: 'PUT',
      path: '/api/user/:user',
      who: 'anybody',
      arguments: [password],
      answers: registered,
      handler: registerInPath,
    }),
    route({
      about: 'Changes the own password.',
      method: 'POST',
      path: '/api/user/password',
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
      handler: changePassword,
    }),
    route({
      about: 'Asks for an account, like PUT /api/user/:user.',
      method: 'PUT',
      path: '/acct/login',
      who: 'anybody',
      arguments: [username, password],
      answers: registered,
      handler: registerInBody,
    }),
    route({
      about: 'Makes the account that a signup token is for.',
      method: 'PUT',
      path: ['/acct/tokenRegister', '/tokenRegister'],
      who: 'anybody',
      arguments: [{name: 'token', about: 'As the administrator gave it.'}, password],
      answers: {
        200: json('The account is there.', 'Next'),
        400: note('The token is not valid, or the user exists.'),
        409: note('The user exists.'),
      },
      handler: registerByToken,
    }),
  ]
}

const username: Argument = {name: 'username', about: 'The name to log in with.'}
const password: Argument = {name: 'password', about: 'At most 100 characters.'}
const registered = {
  200: empty('An administrator can approve the account now.'),
  400: json('The user exists, or the name or password can not be taken.', 'Problem'),
}

/** As `auth.scheme` and `auth.rounds` say. */
export function hashFor(context: Context, password: string): Promise<string> {
  const {scheme, rounds} = context.config.read(passwordFields)
  return hashPassword(password, {scheme: resolveScheme(scheme), rounds})
}

/**
 * A stranger makes an account: the first one of an installation that never had an administrator becomes it, others
 * wait for approval, if registration is on. @throws {HttpError} 400 or 403.
 */
async function register(context: Context, name: string, password: string): Promise<void> {
  const {writer} = context.access
  if (!writer) throw forbidden()
  const first = await writer.needsAdmin()
  if (!first && !(await context.access.allowsRegistration())) throw forbidden()
  const username = name.trim()
  checkRegistration(username, password)
  const known = await context.access.findAccount(username)
  if (known) {
    throw coded(
      known.pending ? `User '${username}' has already registered!` : `User '${username}' already exists!`,
    )
  }
  const passwordHash = await hashFor(context, password)
  if (first && (await writer.claimFirstAdmin(username, passwordHash))) {
    context.log.warn({user: username}, 'the first user has become administrator')
    return
  }
  if (!(await context.access.allowsRegistration())) throw forbidden() // another one was first
  await writer.addAccount({username, passwordHash, admin: false, pending: true})
}

function checkRegistration(username: string, password: string): void {
  if (username.length < 1 || username.length > maxLength) {
    throw coded(`Username must be between 1 and ${maxLength} characters`)
  }
  if (password.length > maxLength) throw coded(`Password cannot exceed ${maxLength} characters`)
  try {
    checkUsername(username)
  } catch (error) {
    throw error instanceof InvalidInput ? coded(error.message) : error
  }
}

const coded = (message: string): HttpError => new HttpError(400, message, {form: 'coded'})
