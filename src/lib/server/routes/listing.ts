import type {FastifyInstance} from 'fastify'
import {Readable} from 'node:stream'
import {renderAllFiles, type LinkedFiles} from '../../index/pages/all-files.js'
import {identify, type Context} from '../context.js'
import {redirectToSlash} from '../http/redirect.js'

/** `/packages/`: every file that the reader may see, project by project, sent as it is read. */
export function listingRoutes(app: FastifyInstance, context: Context): void {
  const {cache, index, policy} = context
  app.route({
    method: ['GET', 'HEAD'],
    url: '/packages/',
    handler: async (request, reply) => {
      const identity = await identify(context, request)
      const projects = await policy.visibleProjects(identity, await index.listProjects())
      void reply.type('text/html; charset=UTF-8').header('cache-control', 'private, no-cache')
      if (request.method === 'HEAD') return reply.send(null)
      return reply.send(Readable.from(renderAllFiles(filesOf(projects))))
    },
  })
  app.route({method: ['GET', 'HEAD'], url: '/packages', handler: redirectToSlash(context.address)})

  async function* filesOf(projects: readonly string[]): AsyncGenerator<LinkedFiles> {
    for (const project of projects) {
      const keyed = (await cache.listFiles(project)).map(file => ({file, key: file.filename.toLowerCase()}))
      keyed.sort((a, b) => (a.key < b.key ? -1 : 1))
      const files = keyed.map(({file}) => file)
      yield [files, await index.links.addressesOf(files, '../')]
    }
  }
}
