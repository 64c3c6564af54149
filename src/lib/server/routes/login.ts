import type {FastifyReply, FastifyRequest} from 'fastify'
import type {Verified} from '../../access/logins.js'
import {tokenFields} from '../../config/schema/access.js'
import {registrationOf} from '../accounts.js'
import {identify, type Context} from '../context.js'
import {forbidden, redirect} from '../http/errors.js'
import {readParameters, type Parameters} from '../http/parameters.js'
import {requireSameSite} from '../http/same-site.js'
import {loginPage} from '../pages/account-pages.js'
import {answerForm, isBrowser} from '../pages/browser-form.js'
import {sendDocument, wayToRoot} from '../pages/document.js'
import {csrfField} from '../pages/forms.js'
import {noteChange} from '../operation/audit.js'
import {json, note, page} from '../routing/answers.js'
import {route, type Argument, type Route} from '../routing/route.js'
import {csrfHeader} from '../sessions/sessions.js'
import {welcome} from '../sessions/welcome.js'

/**
 * Logging in and out by cookie: for scripts as pypicloud answered them, in JSON, and for browsers with plain forms. `/login` and such are the paths of pypicloud 1.0, `/acct/…` those of 1.3.
 */
export function loginRoutes(context: Context): Route[] {
  const {access, sessions} = context
  const logIn = async (request: FastifyRequest, parameters: Parameters): Promise<Verified> => {
    const [username, password] = [parameters.text('username'), parameters.text('password')]
    noteChange(request, {user: username.slice(0, 200)})
    const verified = await context.policy.verify(username, password, context.address.client(request))
    if (!verified) throw forbidden()
    return verified
  }
  const showLogin = async (
    request: FastifyRequest,
    reply: FastifyReply,
    state: {problem?: string; status?: number; username?: string} = {},
  ) =>
    sendDocument(
      request,
      reply,
      loginPage({
        ...state,
        root: wayToRoot(request),
        mayRegister: (await registrationOf(context)) !== 'closed',
        tokens: access.writer !== undefined && context.config.read(tokenFields).signingKey !== undefined,
      }),
    )

  /** As pypicloud's, absolute; for browsers relative, which is right behind any proxy. */
  const frontOf = (request: FastifyRequest): string =>
    isBrowser(request) ? wayToRoot(request) : `${context.address.root(request)}/`

  const getLogin = async (request: FastifyRequest, reply: FastifyReply) => {
    if ((await identify(context, request)).username !== undefined) throw redirect(frontOf(request))
    return showLogin(request, reply)
  }
  const postLogin = async (request: FastifyRequest, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    return answerForm(request, reply, {
      work: async () => welcome(context, request, reply, await logIn(request, parameters)),
      again: (problem, status) => {
        const username = parameters.has('username') ? {username: parameters.text('username')} : {}
        const text = status === 403 ? 'The user name or the password is wrong.' : problem
        return showLogin(request, reply, {...username, problem: text, status})
      },
    })
  }

  const logOut = async (request: FastifyRequest, reply: FastifyReply) => {
    await sessions.find(request)
    if (request.method === 'GET') {
      requireSameSite(request, context.address) // pypicloud's link, which has no token
    } else if (request.method !== 'HEAD') {
      const parameters = await readParameters(request)
      const field = parameters.has(csrfField) ? parameters.text(csrfField) : undefined
      sessions.requireToken(request, field ?? request.headers[csrfHeader])
    }
    if (request.method !== 'HEAD') await sessions.end(request, reply)
    throw redirect(frontOf(request))
  }

  return [
    route({
      about: 'The page for logging in; who is logged in is led to the front page.',
      method: 'GET',
      path: ['/acct/login', '/login'],
      who: 'anybody',
      answers: {200: page('A page for people.'), 302: note('Already logged in.')},
      handler: getLogin,
    }),
    route({
      about: 'Begins a session, which is in the cookie of the answer.',
      method: 'POST',
      path: ['/acct/login', '/login'],
      audit: 'login',
      who: 'anybody',
      arguments: [usernameArgument, passwordArgument],
      answers: {
        200: json('Logged in.', 'Next'),
        303: page('Logged in by a form of a browser.'),
        403: note('Wrong.'),
      },
      handler: postLogin,
    }),
    route({
      about: 'Ends all sessions of the user. By other methods than GET it needs the CSRF token.',
      method: 'ANY',
      path: ['/acct/logout', '/logout'],
      who: 'anybody',
      answers: {302: note('To the front page.')},
      handler: logOut,
    }),
  ]
}

export const usernameArgument: Argument = {name: 'username', about: 'The name to log in with.'}
export const passwordArgument: Argument = {
  name: 'password',
  about: 'At most 100 characters for a new account.',
}
