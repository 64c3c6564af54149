import type {FastifyReply, FastifyRequest} from 'fastify'
import {changePassword} from '../accounts.js'
import type {Context} from '../context.js'
import {readParameters} from '../http/parameters.js'
import {passwordPage} from '../pages/account-pages.js'
import {answerForm, seeOther} from '../pages/browser-form.js'
import {sendDocument, wayToRoot} from '../pages/document.js'
import {csrfField} from '../pages/forms.js'
import {page} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** The page for changing the own password. Scripts use `POST /api/user/password`. */
export function passwordRoutes(context: Context): Route[] {
  const {sessions} = context

  const getPassword = async (request: FastifyRequest, reply: FastifyReply) => {
    if (!(await sessions.find(request))) return seeOther(request, reply, 'acct/login')
    return sendDocument(
      request,
      reply,
      passwordPage({root: wayToRoot(request), token: sessions.tokenOf(request)}),
    )
  }
  const postPassword = async (request: FastifyRequest, reply: FastifyReply) => {
    const username = (await sessions.find(request))?.username
    if (username === undefined) return seeOther(request, reply, 'acct/login')
    const parameters = await readParameters(request)
    return answerForm(request, reply, {
      work: async () => {
        sessions.requireToken(request, parameters.has(csrfField) ? parameters.text(csrfField) : undefined)
        const [old, wanted] = [parameters.text('old_password'), parameters.text('new_password')]
        const address = context.address.client(request)
        await sessions.begin(reply, await changePassword(context, {username, old, wanted, address}))
        return seeOther(request, reply)
      },
      again: (problem, status) => {
        const text = status === 403 && problem === '' ? 'The password is wrong.' : problem
        const token = sessions.tokenOf(request)
        return sendDocument(
          request,
          reply,
          passwordPage({root: wayToRoot(request), token, problem: text, status}),
        )
      },
    })
  }

  return [
    route({
      about: 'The page for changing the own password.',
      method: 'GET',
      path: '/acct/password',
      who: 'anybody',
      answers: {200: page('A page for people.'), 303: page('To the log-in.')},
      handler: getPassword,
    }),
    route({
      about: 'What that page sends: see POST /api/user/password.',
      method: 'POST',
      path: '/acct/password',
      audit: 'user.password',
      who: 'anybody',
      arguments: [
        {name: 'old_password', about: 'Once more.'},
        {name: 'new_password', about: 'The one to come.'},
        {name: csrfField, about: 'As the page has it.'},
      ],
      answers: {303: page('It is changed.')},
      handler: postPassword,
    }),
  ]
}
