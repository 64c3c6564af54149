import type {FastifyReply} from 'fastify'
import type {DistFile} from '../../packaging/dist-file.js'
import {normalizeName} from '../../packaging/names.js'
import {projectStates, yankOf, type ProjectFacts, type ProjectState} from '../../index/project-facts.js'
import {denied, requirePermission, sendJson, tracked, type Context} from '../context.js'
import {HttpError, notFound} from '../http/errors.js'
import {readParameters, type Parameters} from '../http/parameters.js'
import {noteChange} from '../operation/audit.js'
import {json, note} from '../routing/answers.js'
import {route, type Argument, type Route, type RouteRequest} from '../routing/route.js'

/** `/api/project/…`: what its writers say of a project beside its files, yanks (PEP 592) and its state (PEP 792). */
export function projectRoutes(context: Context): Route[] {
  const {index} = context
  const {projectNotes} = index

  const show = async (request: RouteRequest<'project'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    await requirePermission(context, request, project, 'read')
    const facts = await projectNotes.of(project)
    if (!facts.status && (await index.listFiles(project)).length === 0) throw notFound(project, 'raised')
    void reply.header('cache-control', 'private, no-cache')
    return sendJson(context, reply, stateOf(project, facts))
  }

  const setStatus = async (request: RouteRequest<'project'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    const identity = await requirePermission(context, request, project, 'write', 'delete')
    const parameters = await readParameters(request)
    const state = stateIn(parameters.text('status'))
    const before = (await projectNotes.of(project)).status?.state
    // Who has published something harmful must not be the one to release it.
    if ((state === 'quarantined' || before === 'quarantined') && !identity.admin)
      throw denied(context, identity)
    const saying = {reason: reasonIn(parameters), by: identity.username}
    noteChange(request, {state, before, reason: saying.reason})
    await tracked(context, () => projectNotes.setStatus(project, state, saying))
    context.log.info({project, state, user: identity.username}, 'project state set')
    return sendJson(context, reply, stateOf(project, await projectNotes.of(project)))
  }

  const changeYank =
    (undo: boolean) => async (request: RouteRequest<'project' | 'target'>, reply: FastifyReply) => {
      const {target} = request.params
      const project = normalizeName(request.params.project)
      const identity = await requirePermission(context, request, project, 'write', 'delete')
      const reason = undo ? undefined : reasonIn(await readParameters(request))
      noteChange(request, {reason})
      const files = await tracked(context, () =>
        undo
          ? projectNotes.unyank(project, target)
          : projectNotes.yank(project, target, {reason, by: identity.username}),
      )
      context.log.info({project, target, user: identity.username}, undo ? 'unyanked' : 'yanked')
      return sendJson(context, reply, yankedOf(project, await projectNotes.of(project), files))
    }

  const listYanked = async (request: RouteRequest<'project'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    await requirePermission(context, request, project, 'read')
    const facts = await projectNotes.of(project)
    const files = (await index.listFiles(project)).filter(file => yankOf(facts, file) !== undefined)
    void reply.header('cache-control', 'private, no-cache')
    return sendJson(context, reply, yankedOf(project, facts, files))
  }

  return [
    route({
      about: 'Whether a project is active, archived, quarantined or deprecated.',
      method: 'GET',
      path: '/api/project/:project/status',
      who: 'reader',
      answers: {200: json('Its state.', 'ProjectState')},
      handler: show,
    }),
    route({
      about:
        'Says that a project is active, archived or deprecated; administrators also quarantine it, and end that.',
      method: 'PUT',
      path: '/api/project/:project/status',
      audit: 'project.status',
      who: 'writer',
      arguments: [{name: 'status', about: `One of ${projectStates.join(', ')}.`}, why],
      answers: {200: json('Its state.', 'ProjectState'), 400: note('There is no such state.')},
      handler: setStatus,
    }),
    route({
      about: 'The yanked files of a project.',
      method: 'GET',
      path: '/api/project/:project/yanked',
      who: 'reader',
      answers: {200: json('The files, and why.', 'Yanked')},
      handler: listYanked,
    }),
    route({
      about: 'Yanks a release, or one file of it: only who asks for exactly that version gets it.',
      method: 'PUT',
      path: '/api/project/:project/yanked/:target',
      audit: 'project.yank',
      who: 'writer',
      arguments: [why],
      answers: {200: json('The files that are meant.', 'Yanked')},
      handler: changeYank(false),
    }),
    route({
      about: 'Takes back that a release, or a file, was yanked.',
      method: 'DELETE',
      path: '/api/project/:project/yanked/:target',
      audit: 'project.unyank',
      who: 'writer',
      answers: {200: json('The files that are meant.', 'Yanked')},
      handler: changeYank(true),
    }),
  ]
}

const why: Argument = {
  name: 'reason',
  about: 'Shown to who meets it. At most 500 characters.',
  optional: true,
}

const reasonIn = (parameters: Parameters): string | undefined =>
  parameters.has('reason') ? parameters.text('reason') : undefined

function stateIn(text: string): ProjectState {
  const state = projectStates.find(known => known === text.toLowerCase())
  if (state) return state
  throw new HttpError(400, `'status' must be one of ${projectStates.join(', ')}`, {form: 'raised'})
}

const stateOf = (name: string, {status}: ProjectFacts) => ({
  name,
  status: status?.state ?? 'active',
  ...(status?.reason !== undefined && {reason: status.reason}),
})

const yankedOf = (name: string, facts: ProjectFacts, files: readonly DistFile[]) => ({
  name,
  yanked: files.flatMap(file => {
    const reason = yankOf(facts, file)
    return reason === undefined
      ? []
      : [{filename: file.filename, version: file.version, reason: reason || null}]
  }),
})
