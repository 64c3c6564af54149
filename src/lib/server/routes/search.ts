import type {FastifyReply} from 'fastify'
import type {SearchCriteria} from '../../cache/cache.js'
import {identify, type Context} from '../context.js'
import {readBody} from '../http/parameters.js'
import type {Answer} from '../routing/answers.js'
import {route, type Route, type RouteRequest} from '../routing/route.js'
import {Fault, faults, formatFault, formatStructs} from '../xmlrpc/answer.js'
import {parseCall, type Value} from '../xmlrpc/call.js'

/** Largest call, in bytes. */
const limit = 100_000
/** Texts in one call. Databases bound the depth of a condition. */
const mostTexts = 100
const xml = 'text/xml; charset=UTF-8'

/** The XML-RPC method `search` at `/pypi`, which `pip search` calls. */
export function searchRoutes(context: Context): Route[] {
  const {cache, index, policy} = context

  const search = async (request: RouteRequest, params: readonly Value[]): Promise<string> => {
    const [criteria, operator] = params
    if (params.length !== 2 || typeof operator !== 'string') throw new Fault(faults.params)
    const identity = await identify(context, request)
    const found = await index.wholeness.whole(() =>
      cache.search(criteriaOf(criteria), operator === 'or' ? 'or' : 'and'),
    )
    const visible = new Set(
      await policy.visibleProjects(
        identity,
        found.map(({name}) => name),
      ),
    )
    const files = found.filter(({name}) => visible.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
    return formatStructs(files.map(({name, summary, version}) => ({name, summary: summary ?? '', version})))
  }

  const answer = async (request: RouteRequest, reply: FastifyReply) => {
    void reply.header('content-type', xml).header('cache-control', 'private, no-store')
    try {
      const {method, params} = parseCall(await readBody(request, limit))
      if (method !== 'search') throw new Fault(faults.method)
      return await reply.send(Buffer.from(await search(request, params)))
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      return reply.send(Buffer.from(formatFault(error)))
    }
  }

  return [
    route({
      about: 'Searches names and summaries: the XML-RPC method search(struct of lists, "and" or "or").',
      method: 'POST',
      path: '/pypi/',
      who: 'anybody, filtered',
      body: {type: 'text/xml', about: 'A methodCall.'},
      answers: {200: found, 413: {about: `It is longer than ${limit} bytes.`}},
      handler: answer,
    }),
  ]
}

const found: Answer = {about: 'Name, summary and version of each project; or a fault.', types: [xml]}

/** Fields that nobody knows are no conditions. @throws {Fault} also for too many texts */
function criteriaOf(value: Value | undefined): SearchCriteria {
  if (value === undefined || typeof value === 'string' || isList(value)) throw new Fault(faults.params)
  const texts = (field: Value | undefined): string[] => {
    if (field === undefined) return []
    if (typeof field === 'string') return [field]
    if (!isList(field) || !field.every(text => typeof text === 'string')) throw new Fault(faults.params)
    return [...field]
  }
  const criteria = {name: texts(value['name']), summary: texts(value['summary'])}
  if (criteria.name.length + criteria.summary.length > mostTexts) throw new Fault(faults.params)
  return criteria
}

const isList = (value: Value): value is readonly Value[] => Array.isArray(value)
