import {createHash, timingSafeEqual} from 'node:crypto'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {isRecord, readEvent} from '../tasks/sync/events.js'
import {SyncLog} from '../tasks/sync/log.js'
import {syncMessages, type OpenTarget, type Report} from '../tasks/sync/messages.js'

/** Event Grid sends 1 MB at most, Pub/Sub 10. */
const largestBody = 16 * 1024 * 1024

export interface SyncEntryOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Without it everybody who reaches the port may name objects, which are then looked at. */
  readonly token: string | undefined
  readonly log: NodeJS.WritableStream
  /** @throws when storage or cache can't be used now. */
  readonly check: () => Promise<void>
}

export interface SyncEntry {
  readonly url: string
  close(): Promise<void>
}

/** Takes notifications by HTTP: of Google's Pub/Sub, of Azure's Event Grid, and of services that post events as S3 has them. */
export async function openSyncEntry(open: OpenTarget, options: SyncEntryOptions): Promise<SyncEntry> {
  const server = createServer((request, response) => {
    answer(request, open, options).then(
      given => send(response, given),
      (error: unknown) => {
        options.log.write(`${JSON.stringify({level: 'error', message: 'failed', reason: String(error)})}\n`)
        send(response, {status: 500})
      },
    )
  })
  server.requestTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve)
  })
  const {address, port, family} = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

async function answer(
  request: IncomingMessage,
  open: OpenTarget,
  options: SyncEntryOptions,
): Promise<Answer> {
  const {method} = request
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (method === 'GET' || method === 'HEAD') {
    return options.check().then(
      () => ({status: 200, body: {status: 'ok'}}),
      (error: unknown) => ({status: 503, body: {error: error instanceof Error ? error.message : ''}}),
    )
  }
  if (options.token !== undefined && !hasToken(request, url, options.token)) {
    return {status: 401, body: {error: 'the token is missing or wrong'}}
  }
  // how Event Grid asks before it sends CloudEvents
  if (method === 'OPTIONS') {
    const origin = request.headers['webhook-request-origin']
    return typeof origin === 'string'
      ? {status: 200, headers: {'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*'}}
      : {status: 204, headers: {allow: 'POST, OPTIONS, GET'}}
  }
  if (method !== 'POST') return {status: 405, headers: {allow: 'POST, OPTIONS, GET'}}
  const text = await bodyOf(request)
  if (text === undefined)
    return {status: 413, body: {error: 'the body is too large'}, headers: {connection: 'close'}}
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch {
    return {status: 400, body: {error: 'the body is no JSON'}}
  }
  const code = validationCode(event)
  if (code !== undefined) return {status: 200, body: {validationResponse: code}}
  return work(event, open, options.log)
}

async function work(event: unknown, open: OpenTarget, out: NodeJS.WritableStream): Promise<Answer> {
  const log = new SyncLog(out)
  const counts: Partial<Record<Report['outcome'], number>> = {}
  await syncMessages(open, [{sightings: readEvent(event)}], {
    onReport: report => {
      log.report(report)
      counts[report.outcome] = (counts[report.outcome] ?? 0) + 1
    },
  })
  if (counts.failed !== undefined) return {status: 503, body: counts, headers: {'retry-after': '30'}}
  return {status: counts.unreadable === undefined ? 200 : 400, body: counts}
}

/** Event Grid's own schema: the first event of a subscription is a question, which is answered by its code. */
function validationCode(event: unknown): string | undefined {
  const first: unknown = Array.isArray(event) ? event[0] : undefined
  if (!isRecord(first) || first['eventType'] !== 'Microsoft.EventGrid.SubscriptionValidationEvent')
    return undefined
  const code = isRecord(first['data']) ? first['data']['validationCode'] : undefined
  return typeof code === 'string' ? code : undefined
}

/** As `Authorization: Bearer`, or as `?token=` for services that send no headers of one's own. */
function hasToken(request: IncomingMessage, url: URL, token: string): boolean {
  const header = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim()
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return [header, url.searchParams.get('token')].some(
    given => typeof given === 'string' && timingSafeEqual(digest(given), digest(token)),
  )
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > largestBody) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function send(response: ServerResponse, {status, body, headers}: Answer): void {
  response.writeHead(status, {...(body !== undefined && {'content-type': 'application/json'}), ...headers})
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
