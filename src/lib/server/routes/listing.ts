import {Readable} from 'node:stream'
import {isQuarantined} from '../../index/project-facts.js'
import {renderAllFiles, type LinkedFiles} from '../../index/pages/all-files.js'
import {identify, type Context} from '../context.js'
import {html, page} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** `/packages/`: every file that the reader may see, project by project, sent as it is read. */
export function listingRoutes(context: Context): Route[] {
  const {cache, index, policy} = context

  async function* filesOf(projects: readonly string[]): AsyncGenerator<LinkedFiles> {
    for (const project of projects) {
      const keyed = (await cache.listFiles(project)).map(file => ({file, key: file.filename.toLowerCase()}))
      keyed.sort((a, b) => (a.key < b.key ? -1 : 1))
      const files = keyed.map(({file}) => file)
      yield [files, await index.links.addressesOf(files, '../')]
    }
  }

  return [
    route({
      about: 'Links to all files of all projects.',
      method: 'GET',
      path: '/packages/',
      slash: 'added',
      who: 'anybody, filtered',
      answers: {200: page('The links, as a page.')},
      handler: async (request, reply) => {
        const identity = await identify(context, request)
        const factsOf = await index.projectNotes.snapshot()
        const visible = await policy.visibleProjects(identity, await index.listProjects())
        const projects = visible.filter(project => !isQuarantined(factsOf(project)))
        void reply.type(html).header('cache-control', 'private, no-cache')
        if (request.method === 'HEAD') return reply.send(null)
        return reply.send(Readable.from(renderAllFiles(filesOf(projects))))
      },
    }),
  ]
}
