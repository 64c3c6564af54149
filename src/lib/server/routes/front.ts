import type {FastifyReply, FastifyRequest} from 'fastify'
import {escapeHtml} from '../../index/pages/markup.js'
import {normalizeName} from '../../packaging/names.js'
import {identify, type Context} from '../context.js'
import {queryOf} from '../http/parameters.js'
import {sendDocument, wayToRoot} from '../pages/document.js'
import {frontPage} from '../pages/front-page.js'
import {page} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** `/`, and what a person sees who opens an upload address in a browser. */
export function frontRoutes(context: Context): Route[] {
  const {access, index, policy, sessions} = context
  const installFrom = (root: string): string => context.config.core.downloadUrl ?? `${root}/simple/`

  const front = async (request: FastifyRequest, reply: FastifyReply) => {
    const identity = await identify(context, request)
    const query = (queryOf(request).get('q') ?? '').trim()
    const visible = await policy.visibleProjects(identity, await index.listProjects())
    const wanted = normalizeName(query)
    const root = context.address.root(request)
    return sendDocument(
      request,
      reply,
      frontPage({
        root: wayToRoot(request),
        username: identity.username,
        token: sessions.tokenOf(request),
        canLogIn: sessions.areKept,
        canChangePassword: access.writer !== undefined,
        query,
        projects: query === '' ? visible : visible.filter(name => name.includes(wanted)),
        indexUrl: installFrom(root),
        uploadUrl: `${root}/simple/`,
      }),
    )
  }

  return [
    route({
      about: 'What this is, its projects, and how to use it.',
      method: 'GET',
      path: '/',
      who: 'anybody, filtered',
      arguments: [{name: 'q', about: 'What the names of the projects are to hold.', optional: true}],
      answers: {200: page('A page for people.')},
      handler: front,
    }),
    route({
      about: 'What the upload address is for.',
      method: 'GET',
      path: '/legacy/',
      who: 'anybody',
      answers: {200: page('A page for people.')},
      handler: (request, reply) => {
        const address = escapeHtml(installFrom(context.address.root(request)))
        return sendDocument(request, reply, {
          title: 'Upload address',
          body: `<main>\n<h1>Upload address</h1>\n<p>Tools send files here by POST. To install, use ${address}</p>\n</main>\n`,
        })
      },
    }),
  ]
}
