import {createHash} from 'node:crypto'
import {request as httpRequest, type IncomingHttpHeaders} from 'node:http'
import {buffer} from 'node:stream/consumers'
import {gunzipSync} from 'node:zlib'
import {testPassword} from '../../support/live-server.js'
import {basic} from '../installation.js'
import {recordedHost, type Exchange} from '../replay/exchange.js'
import {titleOf, type Asked} from './request.js'

/** An answer as `differences` reads it. */
export interface Answer {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly rawPayload: Buffer
  readonly payload: string
}

/** One of the two servers, with the cookies that it has given. */
export class Side {
  private readonly cookies = new Map<string, string>()
  private clients = 0
  constructor(private readonly port: number) {}

  async ask(asked: Asked): Promise<Answer> {
    const answer = await this.send(asked)
    const cookie = sessionCookieOf(answer)
    if (asked.session !== undefined && cookie !== undefined)
      this.cookies.set(asked.session, cookie.split(';')[0] ?? '')
    return answer
  }

  /** Everybody is somebody else: so many wrong passwords of one client would slow it down. */
  private nextClient(): string {
    this.clients += 1
    return `198.51.${100 + (this.clients >> 8)}.${this.clients & 255}`
  }

  private send({who, method, path, headers, body, session}: Asked): Promise<Answer> {
    const cookie = this.cookies.get(session ?? '')
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: this.port,
        method,
        path,
        headers: {
          host: recordedHost, // both say the same of themselves
          'x-forwarded-for': this.nextClient(),
          ...(who !== undefined && {authorization: basic(who, testPassword)}),
          ...(cookie !== undefined && {cookie}),
          ...(body !== undefined && {'content-length': Buffer.byteLength(body)}),
          ...headers,
        },
        agent: false,
      })
      request.on('response', response => {
        const {statusCode = 0, headers: answered} = response
        if (method === 'HEAD') {
          // pypicloud sends a body after some, which is no HTTP
          resolve({statusCode, headers: answered, rawPayload: Buffer.alloc(0), payload: ''})
          request.destroy()
          return
        }
        buffer(response).then(rawPayload => {
          resolve({statusCode, headers: answered, rawPayload, payload: rawPayload.toString()})
        }, reject)
      })
      request.on('error', error => reject(new Error(titleOf({method, path}), {cause: error})))
      request.setTimeout(60_000, () => request.destroy(new Error('no answer')))
      request.end(body)
    })
  }
}

/** pypicloud's answer, as if it had been recorded. */
export function exchangeOf(
  asked: Asked,
  {statusCode: status, headers, rawPayload, payload}: Answer,
): Exchange {
  const {method, path} = asked
  const type = headers['content-type'] ?? ''
  const isDump = headers['content-disposition']?.includes('acl.json.gz') === true && rawPayload.length > 0
  return {
    id: titleOf(asked),
    request: {method, path, headers: {}},
    response: {
      status,
      headers: Object.entries(headers).map(([name, value]) => [name, String(value)]),
      ...(isDump && {gunzipped_json: JSON.parse(gunzipSync(rawPayload).toString()) as unknown}),
      ...(type.startsWith('application/octet-stream') ? bytesOf(rawPayload) : {body: payload}),
    },
    volatile: asked.volatile ?? [],
  }
}

const bytesOf = (bytes: Buffer) => ({
  body_sha256: createHash('sha256').update(bytes).digest('hex'),
  body_length: bytes.length,
})

const sessionCookieOf = ({headers}: Answer): string | undefined =>
  headers['set-cookie']?.find(cookie => cookie.startsWith('beaker.session.id='))

/** Whether a session begins or ends with an answer. pypicloud sends the cookie of a session again with every one. */
export function cookieDifferences({session}: Asked, then: Answer, now: Answer): string[] {
  const [before, after] = [kindOf(then), kindOf(now)]
  const isRenewal = session !== undefined && before === 'begun' && after === 'none'
  return before === after || isRenewal ? [] : [`the cookie ${before} is now ${after}`]
}
function kindOf(answer: Answer): 'none' | 'begun' | 'ended' {
  const cookie = sessionCookieOf(answer)
  if (cookie === undefined) return 'none'
  const expires = /expires=([^;]+)/i.exec(cookie)?.[1]
  return expires !== undefined && Date.parse(expires) < Date.now() ? 'ended' : 'begun'
}
