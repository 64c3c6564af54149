import type {IncomingMessage, ServerResponse} from 'node:http'
import {anonymous, type Identity} from '../access/identity.js'
import type {Page} from '../index/index-pages.js'
import type {Context} from './context.js'
import {simpleType} from './http/accept.js'
import {mountPathOf, withoutMount} from './http/paths.js'
import {answerOf, type ShownPage} from './http/send-page.js'

/** A project's page at the address that clients ask for, in its normal spelling. */
const address = /^\/(simple|pypi)\/([a-z0-9]+(?:-[a-z0-9]+)*)\/$/

/** @returns whether it has answered. */
type Answering = (request: IncomingMessage, response: ServerResponse) => boolean

/**
 * Answers what installers ask for all day, the page of a project, when nothing about it has to be waited for: who asks was
 * verified before, the rights and the page are known. The route of `routes/simple.ts` would say the same in twice the time, and gets
 * whatever is not that simple.
 */
export function readyPages(context: Context): Answering {
  const {config, limits, logRequest, metrics, origin, requestId} = context
  if (origin.mixes || limits.countsAddresses || limits.countsUsers) return () => false
  const mountPath = mountPathOf(config)
  return (request, response) => {
    const begun = performance.now()
    if (request.method !== 'GET' || request.headers.cookie !== undefined) return false
    const url = withoutMount(request.url ?? '', mountPath) ?? ''
    const [, first = '', project = ''] = address.exec(url) ?? []
    const identity = project && known(context, request)
    const shown = identity && shownTo(context, request, identity, project)
    if (!shown) return false
    const id = requestId(request)
    const {status, headers, sent} = answerOf(request.headers, shown)
    response.once('finish', () => {
      const ms = performance.now() - begun
      const bytes = sent?.body.length
      logRequest({request, id, method: 'GET', url, status, ms, user: identity.username, bytes})
      metrics?.answered('GET', `/${first}/:project/`, status, ms)
    })
    headers['x-request-id'] = id
    response.writeHead(status, headers)
    // With its headers, a text is one piece for the connection.
    if (sent?.latin1 === undefined) response.end(sent?.body)
    else response.end(sent.latin1, 'latin1')
    return true
  }
}

const known = ({policy}: Context, {headers}: IncomingMessage): Identity | undefined =>
  headers.authorization === undefined ? anonymous : policy.recall(headers.authorization)

function shownTo(
  {address: here, pages, policy}: Context,
  request: IncomingMessage,
  identity: Identity,
  project: string,
): ShownPage | undefined {
  if (ready(policy.can(identity, project, 'read')) !== true) return undefined
  const type = simpleType(request.headers.accept)
  const place = {root: '../../', address: () => `${here.root(request)}/`}
  const page = ready<Page | undefined>(pages.project(project, type, place))
  return page && {page, type, open: identity.username === undefined}
}

/** What has to be waited for is left to whoever asks again. */
function ready<T>(value: T | Promise<T>): T | undefined {
  if (!(value instanceof Promise)) return value
  value.catch(() => undefined)
  return undefined
}
