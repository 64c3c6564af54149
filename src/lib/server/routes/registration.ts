import type {FastifyReply, FastifyRequest} from 'fastify'
import {register, registerByToken, registrationOf, userOfToken} from '../accounts.js'
import {sendJson, type Context} from '../context.js'
import {forbidden} from '../http/errors.js'
import {queryOf, readParameters} from '../http/parameters.js'
import {registeredPage, registerPage, tokenPage} from '../pages/account-pages.js'
import {answerForm} from '../pages/browser-form.js'
import {sendDocument, wayToRoot} from '../pages/document.js'
import {json, note, page} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'
import {welcome} from '../sessions/welcome.js'
import {passwordArgument, usernameArgument} from './login.js'

/** Pages for registering, and accounts by a signup token, which scripts ask for by PUT as from pypicloud. */
export function registrationRoutes(context: Context): Route[] {
  const {sessions} = context

  const getRegister = async (request: FastifyRequest, reply: FastifyReply) => {
    const registration = await registrationOf(context)
    if (registration === 'closed') throw forbidden('Nobody can register here now.')
    const isFirst = registration === 'first admin'
    return sendDocument(request, reply, registerPage({root: wayToRoot(request), isFirst}))
  }
  const postRegister = async (request: FastifyRequest, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    const isFirst = (await registrationOf(context)) === 'first admin'
    return answerForm(request, reply, {
      work: async () => {
        const admin = await register(context, parameters.text('username'), parameters.text('password'))
        if (admin && sessions.areKept) return welcome(context, request, reply, admin)
        return sendDocument(request, reply, registeredPage(wayToRoot(request)))
      },
      again: (problem, status) => {
        const username = parameters.has('username') ? {username: parameters.text('username')} : {}
        return sendDocument(
          request,
          reply,
          registerPage({...username, root: wayToRoot(request), isFirst, problem, status}),
        )
      },
    })
  }

  const getToken = (request: FastifyRequest, reply: FastifyReply) => {
    const token = queryOf(request).get('token') ?? ''
    const isBad = token !== '' && userOfToken(context, token) === undefined
    const problem = isBad ? 'This token is not valid, or not any more: ask for a new one.' : undefined
    return sendDocument(request, reply, tokenPage({root: wayToRoot(request), token, problem}))
  }
  const useToken = async (request: FastifyRequest, reply: FastifyReply) => {
    const parameters = await readParameters(request)
    return answerForm(request, reply, {
      work: async () => {
        const [token, password] = [parameters.text('token').trim(), parameters.text('password')]
        const verified = await registerByToken(context, token, password)
        if (sessions.areKept) return welcome(context, request, reply, verified)
        return sendJson(context, reply, {next: `${context.address.root(request)}/`})
      },
      again: (problem, status) => {
        const token = parameters.has('token') ? parameters.text('token') : ''
        return sendDocument(request, reply, tokenPage({root: wayToRoot(request), token, problem, status}))
      },
    })
  }

  return [
    route({
      about: 'The page for registering.',
      method: 'GET',
      path: '/acct/register',
      who: 'anybody',
      answers: {200: page('A page for people.')},
      handler: getRegister,
    }),
    route({
      about: 'What that page sends: see PUT /api/user/:user.',
      method: 'POST',
      path: '/acct/register',
      audit: 'user.register',
      who: 'anybody',
      arguments: [usernameArgument, passwordArgument],
      answers: {
        200: page('An administrator can approve the account now.'),
        303: page('The first administrator.'),
      },
      handler: postRegister,
    }),
    route({
      about: 'The page for using a signup token.',
      method: 'GET',
      path: ['/acct/tokenRegister', '/tokenRegister'],
      who: 'anybody',
      arguments: [{name: 'token', about: 'As the administrator gave it.', optional: true}],
      answers: {200: page('A page for people.')},
      handler: getToken,
    }),
    route({
      about: 'Makes the account that a signup token is for, and logs in.',
      method: ['PUT', 'POST'],
      path: ['/acct/tokenRegister', '/tokenRegister'],
      audit: 'user.register',
      who: 'anybody',
      arguments: [{name: 'token', about: 'As the administrator gave it.'}, passwordArgument],
      answers: {
        200: json('The account is there.', 'Next'),
        303: page('The same, by a form of a browser.'),
        400: note('The token is not valid, or the user exists.'),
      },
      handler: useToken,
    }),
  ]
}
