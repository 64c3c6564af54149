import type {FastifyReply, FastifyRequest} from 'fastify'
import {hostname} from 'node:os'
import {gracefulReload} from '../../config/schema/cache.js'
import {PpcError} from '../../errors.js'
import type {Json} from '../../python-json.js'
import {startRebuild} from '../../tasks/rebuild/rebuild.js'
import {RunWatch} from '../../tasks/rebuild/state.js'
import {tracked, type Context} from '../context.js'
import {forbidden} from '../http/errors.js'
import {readParameters} from '../http/parameters.js'
import {requireSameSite} from '../http/same-site.js'

export interface RebuildHandlers {
  /** pypicloud's call, by any method but POST: answers when the rebuild has ended. */
  wait(request: FastifyRequest): Promise<void>
  /** Answers at once; how far it is tells `status`. */
  start(request: FastifyRequest, reply: FastifyReply): Promise<Json>
  /** Of the last rebuild of this cache, by whichever process. */
  status(): Promise<Json>
}

export const rebuildOwner = (): string => `${hostname()}, process ${process.pid}, the server`

/** `/admin/rebuild`. A second rebuild is refused with 409, which names who runs the first. */
export function rebuildHandlers(context: Context): RebuildHandlers {
  /** As in pypicloud everything is read anew, unless `db.graceful_reload` is set. */
  const fullByDefault = () => !context.config.read({gracefulReload}).gracefulReload

  const begin = async (full: boolean) => {
    const {started, finished} = await startRebuild(context.index.rebuildParts, {
      owner: rebuildOwner(),
      full,
      signal: context.stopping,
    })
    const logged = finished.then(report => context.log.info({report}, 'the cache was rebuilt'))
    return {started, ended: tracked(context, () => logged)}
  }
  const watch = new RunWatch(context.cache)
  return {
    async wait(request) {
      requireSameSite(request, context.address) // also for GET, which changes something here
      // by cookie it would need a token, which POST can bring
      if (context.sessions.wasUsed(request)) throw forbidden('By cookie a rebuild is started by POST.')
      if (request.method === 'HEAD') return
      const {ended} = await begin(fullByDefault())
      await ended
    },
    async start(request, reply) {
      const parameters = await readParameters(request)
      const {started, ended} = await begin(parameters.has('full') ? parameters.flag('full') : fullByDefault())
      ended.catch((error: unknown) => {
        const err = error instanceof PpcError ? error.message : error
        context.log.error({err}, 'the cache could not be rebuilt')
      })
      reply.code(202).header('location', `${context.address.root(request)}/admin/rebuild/status`)
      return {...started}
    },
    async status() {
      return ((await watch.read()) ?? {state: 'none'}) as Json
    },
  }
}
