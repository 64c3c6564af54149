import fastify, {type FastifyInstance} from 'fastify'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import {limitUnreadBody, type UnreadBodyLimits} from './http/unread-body.js'

/**
 * What listens: it hands each request to whoever `answer` finds. Behind it the app can be replaced while connections
 * stay open. Fastify is here for what it does around listening: `localhost` in both families, broken requests.
 * @param unreadBodies default: as the documentation says.
 */
export const createFront = (
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  unreadBodies?: UnreadBodyLimits,
): FastifyInstance =>
  fastify({
    keepAliveTimeout: 75_000,
    requestTimeout: 0, // an upload may take long; a silent one is given up in readForm
    serverFactory: () =>
      createServer(
        {headersTimeout: 60_000, requestTimeout: 0, keepAliveTimeout: 75_000, maxHeaderSize: 16 * 1024},
        (request, response) => {
          limitUnreadBody(request, response, unreadBodies)
          answer(request, response)
        },
      ),
  })
