import type {FastifyInstance} from 'fastify'
import {PpcError} from '../../errors.js'
import {sendJson, type Context} from '../context.js'

/** `/health`: what is wrong with each backend, or nothing. Any method, no login. */
export function healthRoutes(app: FastifyInstance, context: Context): void {
  app.all('/health', async (_request, reply) => {
    const [access, cache, storage] = await Promise.all(
      [context.access, context.cache, context.storage].map(backend => problemOf(backend.check())),
    )
    const healthy = access === '' && cache === '' && storage === ''
    return sendJson(context, reply.code(healthy ? 200 : 500).header('cache-control', 'no-store'), {
      access: access ?? '',
      cache: cache ?? '',
      storage: storage ?? '',
    })
  })
}

async function problemOf(check: Promise<void>): Promise<string> {
  try {
    await check
    return ''
  } catch (error) {
    return error instanceof PpcError ? error.message : 'it does not work; the log says why'
  }
}
