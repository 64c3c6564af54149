import type {FastifyInstance, HTTPMethods} from 'fastify'
import {requireAdmin, requireSegments, type Context} from '../context.js'
import {redirectToSlash} from '../http/redirect.js'
import {pathsOf, type Route} from './route.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The row of the table that answers; unknown addresses have none. */
    readonly row?: Route
  }
}

/** Makes Fastify answer as the table says. */
export function registerRoutes(app: FastifyInstance, context: Context, table: readonly Route[]): void {
  const toSlash = redirectToSlash(context.address)
  for (const row of table.filter(({body}) => !body)) {
    const methods = methodsOf(app, row)
    for (const path of pathsOf(row)) {
      const sibling = table.find(other => other.body && isSameAddress(other, row, path))
      const handler = sibling
        ? byBody(sibling, handlerOf(context, sibling), handlerOf(context, row))
        : handlerOf(context, row)
      const answer = (url: string, by: Route['handler']) =>
        app.route({method: methods, url, config: {row}, handler: by})
      const bare = path.length > 1 ? path.replace(/\/$/, '') : path
      switch (path === '/' ? 'exact' : (row.slash ?? 'either')) {
        case 'exact':
          answer(path, handler)
          break
        case 'either':
          answer(bare, handler)
          answer(`${bare}/`, handler)
          break
        case 'added':
          answer(bare, toSlash)
          answer(`${bare}/`, handler)
      }
    }
  }
}

const isSameAddress = (one: Route, other: Route, path: string): boolean =>
  pathsOf(one).includes(path) && one.method === other.method

/** Two rows of one address, of which the first takes bodies of a type of its own. */
const byBody =
  ({body}: Route, first: Route['handler'], second: Route['handler']): Route['handler'] =>
  (request, reply) =>
    (request.headers['content-type'] ?? '').toLowerCase().startsWith(body?.type ?? '')
      ? first(request, reply)
      : second(request, reply)

function methodsOf(app: FastifyInstance, {method}: Route): HTTPMethods[] {
  if (method === 'ANY') return [...app.supportedMethods] as HTTPMethods[]
  const methods = typeof method === 'string' ? [method] : [...method]
  return methods.includes('GET') ? [...methods, 'HEAD'] : methods
}

/** What holds of a row whatever its handler does: an administrator's is for administrators, its segments are not empty. */
function handlerOf(context: Context, {handler, who, path}: Route): Route['handler'] {
  const endsInName = /:\w+\/?$/.test(typeof path === 'string' ? path : (path[0] ?? ''))
  if (who === 'admin') {
    return async (request, reply) => {
      requireSegments(request)
      await requireAdmin(context, request)
      return handler(request, reply)
    }
  }
  if (!endsInName) return handler
  return (request, reply) => {
    requireSegments(request)
    return handler(request, reply)
  }
}
