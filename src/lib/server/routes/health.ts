import {PpcError} from '../../errors.js'
import {sendJson, type Context} from '../context.js'
import {json} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** `/health`: what is wrong with each backend, or nothing. */
export const healthRoutes = (context: Context): Route[] => [
  route({
    about: 'What is wrong with each backend, or nothing.',
    method: 'ANY',
    path: '/health',
    slash: 'exact',
    who: 'anybody',
    answers: {200: json('All work.', 'Health'), 500: json('One does not.', 'Health')},
    handler: async (_request, reply) => {
      const [access, cache, storage] = await Promise.all(
        [context.access, context.cache, context.storage].map(backend => problemOf(backend.check())),
      )
      const healthy = access === '' && cache === '' && storage === ''
      return sendJson(context, reply.code(healthy ? 200 : 500).header('cache-control', 'no-store'), {
        access: access ?? '',
        cache: cache ?? '',
        storage: storage ?? '',
      })
    },
  }),
]

async function problemOf(check: Promise<void>): Promise<string> {
  try {
    await check
    return ''
  } catch (error) {
    return error instanceof PpcError ? error.message : 'it does not work; the log says why'
  }
}
