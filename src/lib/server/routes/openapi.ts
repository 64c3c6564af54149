import {sendJson, type Context} from '../context.js'
import {openApiDocument} from '../openapi/document.js'
import {product} from '../product.js'
import {json} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** `/openapi.json`: the description of `others` and of itself. */
export function openApiRoutes(context: Context, others: readonly Route[]): Route[] {
  const row: Route = route({
    about: 'The OpenAPI description of this server.',
    method: 'GET',
    path: '/openapi.json',
    slash: 'exact',
    who: 'anybody',
    answers: {200: json('OpenAPI 3.1.', 'OpenApi')},
    handler: (_request, reply) => sendJson(context, reply.header('cache-control', 'no-cache'), document()),
  })
  let made: ReturnType<typeof openApiDocument> | undefined
  const document = (): ReturnType<typeof openApiDocument> =>
    (made ??= openApiDocument([...others, row], {
      version: product().version,
      cookie: context.sessions.cookieName,
    }))
  return [row]
}
