import {readFileSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import type {InjectOptions} from 'fastify'
import {fixtures} from '../../support/paths.js'

/** One request to pypicloud and its answer, as recorded: see fixtures/pypicloud/README.md. */
export interface Exchange {
  /** `read-none/001-simple-list-anon`. */
  readonly id: string
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly basic_auth?: {readonly user: string; readonly password: string}
    readonly cookie_from?: string
    readonly json?: unknown
    readonly form?: Readonly<Record<string, string>>
    readonly body?: string
    readonly multipart?: readonly Part[]
  }
  readonly response: {
    readonly status: number
    readonly headers: readonly (readonly [string, string])[]
    readonly body?: string
    readonly body_sha256?: string
    readonly body_length?: number
    readonly gunzipped_json?: unknown
  }
  /** The name under which later exchanges send the cookie of the answer. */
  readonly saves_cookie_as?: string
  readonly volatile?: string | readonly string[]
}
interface Part {
  readonly name: string
  readonly value?: string
  readonly filename?: string
  readonly base64?: string
}

export const recordedHost = 'localhost:6543'

/** In the order in which they must be replayed. */
export function readSession(session: string, sessions = join(fixtures, 'http')): Exchange[] {
  const folder = join(sessions, session)
  return readdirSync(folder)
    .filter(name => /^\d.*\.json$/.test(name))
    .sort()
    .map(name => ({
      ...(JSON.parse(readFileSync(join(folder, name), 'utf8')) as Omit<Exchange, 'id'>),
      id: `${session}/${name.slice(0, -'.json'.length)}`,
    }))
}

const boundary = 'rigboundary7MA4YWxkTrZu0gW'

/** @param cookies by the name under which they were saved, `name=value` */
export function injectOptions(
  {request}: Exchange,
  cookies: ReadonlyMap<string, string> = new Map(),
): InjectOptions {
  const headers: Record<string, string> = {host: recordedHost, ...request.headers}
  const cookie = cookies.get(request.cookie_from ?? '')
  if (cookie !== undefined) headers['cookie'] = cookie
  if (request.basic_auth) {
    const {user, password} = request.basic_auth
    headers['authorization'] = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  }
  const payload = payloadOf(request)
  return {
    method: request.method as 'GET',
    // inject parses it as a URL; the recorded ones hold raw UTF-8 and such
    url: request.path,
    headers,
    ...(payload !== undefined && {payload}),
  }
}

function payloadOf(request: Exchange['request']): string | Buffer | undefined {
  if (request.json !== undefined) return JSON.stringify(request.json)
  if (request.form) return new URLSearchParams(request.form).toString()
  if (request.body !== undefined) return request.body
  if (!request.multipart) return undefined
  const parts = request.multipart.flatMap(part => {
    const filename = part.filename === undefined ? '' : `; filename="${part.filename}"`
    const type = part.filename === undefined ? '' : 'Content-Type: application/octet-stream\r\n'
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"${filename}\r\n${type}\r\n`
    const body =
      part.base64 === undefined ? Buffer.from(part.value ?? '') : Buffer.from(part.base64, 'base64')
    return [Buffer.from(head), body, Buffer.from('\r\n')]
  })
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)])
}
