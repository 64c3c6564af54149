import type {FastifyReply} from 'fastify'

/** As bytes: Fastify would add a charset to the type of a text, which pypicloud's answers don't have. */
export const sendJsonText = (reply: FastifyReply, text: string): FastifyReply =>
  reply.header('content-type', 'application/json').send(Buffer.from(text))
