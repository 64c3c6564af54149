import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'

interface Answer {
  readonly content?: Readonly<Record<string, unknown>>
}
interface Operation {
  /** Whom it is for. */
  readonly description: string
  readonly responses: Readonly<Record<string, Answer | {readonly $ref: string}>>
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {readonly responses: {readonly Problem: Answer}}
}

/**
 * Watches what `app`, which is not ready yet, answers. @returns a list that fills with every answer which the OpenAPI
 * document does not promise; `settled` once the app has been asked for that document.
 */
export function undeclaredAnswers(app: FastifyInstance): () => Promise<readonly string[]> {
  const seen: {request: FastifyRequest; status: number; type: string | undefined; empty: boolean}[] = []
  app.addHook('onSend', (request: FastifyRequest, reply: FastifyReply, payload: unknown, done) => {
    const type = reply.getHeader('content-type')
    const empty = payload === undefined || payload === null || payload === ''
    seen.push({request, status: reply.statusCode, type: type?.toString(), empty})
    done(null, payload)
  })
  return async () => {
    const {paths, components} = (await app.inject('/openapi.json')).json<OpenApi>()
    return seen.flatMap(({request, status, type, empty}) => {
      const url = request.routeOptions.url
      const segments = Object.values(request.params as Record<string, string>)
      if (url === undefined || segments.includes('')) return [] // no such address
      const what = `${request.method} ${url} → ${status} ${type ?? ''}`
      const template = url.replace(/:(\w+)/g, '{$1}')
      const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase()
      const added = paths[template] === undefined && paths[`${template}/`]?.[method] !== undefined
      if (added && status === 302) return []
      const operation = (paths[template] ?? paths[`${template}/`] ?? paths[template.replace(/\/$/, '')])?.[
        method
      ]
      if (!operation) return method === 'query' ? [] : [`${what}: not in the document`]
      const other = status === 429 || status >= 500 ? 'default' : 'none'
      const found = operation.responses[status] ?? operation.responses[other]
      if (!found) return [`${what}: the status is not declared`]
      const {content = {}} = '$ref' in found ? components.responses.Problem : found
      return empty || type === undefined || type in content
        ? []
        : [`${what}: declared are ${Object.keys(content).join(', ')}`]
    })
  }
}
