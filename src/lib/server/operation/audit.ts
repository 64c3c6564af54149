import type {FastifyInstance, FastifyRequest} from 'fastify'
import type {Context} from '../context.js'
import type {AuditEntry} from '../../audit-log.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, once that is known and if it is somebody. */
    username: string | null
    /** What the audit log is to say beside who, where and whether. */
    audited: Readonly<Record<string, unknown>> | null
  }
}

/** What of a change the path does not tell: the digest of a file, the value that was set. */
export function noteChange(request: FastifyRequest, details: Readonly<Record<string, unknown>>): void {
  request.audited = {...request.audited, ...details}
}

/**
 * Writes a line for each request to a row of the table with an `audit`, before it is answered. Strangers who are only
 * asked to log in are no news.
 */
export function auditChanges(app: FastifyInstance, context: Context): void {
  if (!context.audit) return
  app.addHook('onSend', async (request, reply, payload) => {
    const action = request.routeOptions.config.row?.audit
    if (action === undefined || request.method === 'HEAD') return payload
    if (reply.statusCode === 401 && request.headers.authorization === undefined) return payload
    await record(context, request, {
      action,
      result: resultOf(reply.statusCode),
      status: reply.statusCode,
      by: request.username,
      ...(request.params as object),
      ...request.audited,
    })
    return payload
  })
}

/** A password was looked at and was wrong. Does not wait for the disk: the request may be one of many. */
export function auditFailedLogin(context: Context, request: FastifyRequest, username: string): void {
  if (!context.audit) return
  void record(context, request, {action: 'login.failed', result: 'denied', user: username.slice(0, 200)})
}

/** What can't be written is an error in the log, and no reason to answer otherwise: the change has happened. */
async function record(context: Context, request: FastifyRequest, entry: AuditEntry): Promise<void> {
  try {
    await context.audit?.record({...entry, client: context.address.client(request), request: request.id})
  } catch (err) {
    context.log.error({err, entry}, 'the audit log could not be written')
  }
}

function resultOf(status: number): AuditEntry['result'] {
  if (status < 400) return 'done'
  if (status === 401 || status === 403 || status === 429) return 'denied'
  return status < 500 ? 'refused' : 'failed'
}
