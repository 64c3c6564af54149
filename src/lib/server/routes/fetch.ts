import type {FastifyReply} from 'fastify'
import type {Identity} from '../../access/identity.js'
import {fallbackMode} from '../../config/derived.js'
import {PpcError} from '../../errors.js'
import {bestFile, parseRequirement, requirementLines, type Wish} from '../../index/upstream/requirements.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Json} from '../../python-json.js'
import {denied, identify, sendJson, type Context} from '../context.js'
import {forbidden, HttpError, notFound} from '../http/errors.js'
import {readParameters} from '../http/parameters.js'
import {requireSameSite} from '../http/same-site.js'
import {packageJson} from '../package-json.js'
import {json, note} from '../routing/answers.js'
import {route, type Route, type RouteRequest} from '../routing/route.js'
import {fetchCopy} from '../upstream-files.js'

/** Beyond, a client had better install from here: each line is a file. */
const mostRequirements = 1000

/** `/api/fetch` of pypicloud 1.0: brings the best file of each requirement here, without what it depends on. */
export function fetchRoutes(context: Context): Route[] {
  const {policy, config, upstream, sessions, address} = context

  const handler = async (request: RouteRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const identity = await identify(context, request)
    if (identity.username === undefined) throw denied(context, identity)
    if (!upstream || fallbackMode(config.core).mode !== 'cache') throw notFound('/api/fetch', 'raised')
    if (!policy.inGroups(identity, config.core.cacheUpdate)) throw denied(context, identity)
    if (request.method === 'GET') {
      requireSameSite(request, address) // it changes something here
      if (sessions.wasUsed(request)) throw forbidden('By cookie files are fetched by POST.')
    }
    const parameters = await readParameters(request)
    const lines = requirementLines(parameters.text('requirements'))
    if (lines.length > mostRequirements) {
      throw new HttpError(400, `More than ${mostRequirements} requirements at once`, {form: 'raised'})
    }
    const wish: Wish = {
      wheel: parameters.has('wheel') ? parameters.flag('wheel') : true,
      prerelease: parameters.has('prerelease') ? parameters.flag('prerelease') : false,
    }
    const fetched: DistFile[] = []
    const skipped: Json[] = []
    for (const line of lines) {
      const found = await bring(identity, line, wish)
      if (typeof found === 'string') skipped.push({requirement: line, reason: found})
      else fetched.push(found)
    }
    const addressOf = await context.index.links.addressesOf(fetched, `${address.root(request)}/`)
    return sendJson(context, reply, {pkgs: fetched.map(file => packageJson(file, addressOf)), skipped})
  }

  /** @returns the file that was brought here, or why none was. */
  const bring = async (identity: Identity, line: string, wish: Wish): Promise<DistFile | string> => {
    const requirement = parseRequirement(line)
    if (!requirement) return 'is no requirement'
    const {project} = requirement
    const mayAsk =
      policy.mayStoreCopies(identity, project, 'upload') &&
      (await policy.can(identity, project, 'read')) &&
      (await upstream?.copies.mayFetch(project))
    if (!mayAsk) return 'is not fetched from the upstream'
    try {
      const {project: found} = (await upstream?.index.find(project)) ?? {}
      const best = found && bestFile(found.files, requirement, wish)
      if (!best) return 'the upstream has no such file'
      if (await context.index.findFile(best.filename)) return 'is here already'
      const file = await fetchCopy(context, identity, {project, filename: best.filename})
      return file ?? 'could not be fetched'
    } catch (error) {
      if (!(error instanceof PpcError)) throw error
      context.log.warn({project, reason: error.message}, 'not fetched from the upstream')
      return 'could not be fetched'
    }
  }

  return [
    route({
      about: 'Brings the best file of each requirement here from the upstream, where pypi.fallback is cache.',
      method: ['POST', 'GET', 'PUT'],
      path: '/api/fetch',
      who: 'user',
      arguments: [
        {name: 'requirements', about: 'One a line, as in a requirements file.'},
        {
          name: 'wheel',
          about: 'Rather wheels than sdists: yes, unless said otherwise.',
          type: 'boolean',
          optional: true,
        },
        {name: 'prerelease', about: 'Also pre-releases.', type: 'boolean', optional: true},
      ],
      answers: {
        200: json('The files that were fetched, and why others were not.', 'Fetched'),
        400: note('Something is missing or can not be read.'),
        404: note('Nothing is fetched from an upstream here.'),
      },
      handler,
    }),
  ]
}
