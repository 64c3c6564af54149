import {randomBytes} from 'node:crypto'
import type {IncomingMessage} from 'node:http'

/** What is safe in a log line and a header, and no longer than ids of tracing systems are. */
const sane = /^[\w.:+/=-]{1,128}$/

/** Makes ids: the one that a proxy or client sent in X-Request-Id, or one of our own. */
export type RequestIds = (request: Pick<IncomingMessage, 'headers'>) => string

export function requestIds(): RequestIds {
  const start = randomBytes(6).toString('base64url')
  let count = 0
  return ({headers}) => {
    const sent = headers['x-request-id']
    if (typeof sent === 'string' && sane.test(sent)) return sent
    count += 1
    return `${start}-${count.toString(36)}`
  }
}
