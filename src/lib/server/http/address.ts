import type {IncomingMessage} from 'node:http'
import type {FastifyRequest} from 'fastify'
import {isIP} from 'node:net'
import {addressList} from '../../address-list.js'
import type {Config} from '../../config/config.js'

/** As Fastify has it, or Node. */
type Request = FastifyRequest | IncomingMessage

/** How this server is reached from outside. Only absolute URLs in answers depend on it. */
export interface PublicAddress {
  /** Without a slash at the end: `https://pypi.example.com/mounted`. */
  root(request: Request): string
  /** `pypi.example.com:8080`, or undefined when the client sent nothing usable. */
  host(request: Request): string | undefined
  /** Of the client, as far as it is known. */
  client(request: Request): string
}

const hostPattern = /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/

/**
 * Forwarded headers count only from proxies: those that `pypi.trusted_proxies` lists, or, where a PasteDeploy prefix
 * filter is configured as with pypicloud, all on loopback and private addresses. Anybody else could invent them.
 */
export function publicAddress(
  {server, core}: Config,
  /** Called once, for a proxy whose word about its clients does not count: they all have its address. */
  onUnlisted: (proxy: string) => void = () => undefined,
): PublicAddress {
  const filter = server.prefixFilter
  const script = (filter ? filter.prefix : server.mountPath).replace(/\/+$/, '')
  const listed = core.trustedProxies === undefined ? undefined : addressList(core.trustedProxies)

  const isProxy = (address: string | undefined): boolean =>
    listed ? listed(address) : (filter?.translateForwardedServer ?? false) && isPrivateAddress(address)
  const headerOf = (request: Request, name: string): string[] => {
    if (!isProxy(request.socket.remoteAddress)) return []
    const value = request.headers[name] ?? []
    return [value].flat().flatMap(text => text.split(',').map(part => part.trim()))
  }
  const forwarded = (request: Request, name: string): string | undefined =>
    headerOf(request, name)[0] || undefined
  /**
   * Each proxy adds the address that it saw: what is before those of the listed ones may be invented. Where none are
   * listed, one proxy is assumed: its clients may have private addresses themselves.
   */
  const forwardedFor = (request: Request): string | undefined => {
    const seen = headerOf(request, 'x-forwarded-for').filter(Boolean)
    return listed ? (seen.findLast(address => !listed(address)) ?? seen[0]) : seen.at(-1)
  }
  let noticed = false
  const notice = ({socket}: Request): void => {
    const {remoteAddress} = socket
    if (noticed || isProxy(remoteAddress)) return
    if (remoteAddress === undefined || !isPrivateAddress(remoteAddress)) return // anybody can send this header
    noticed = true
    onUnlisted(remoteAddress)
  }
  const host = (request: Request): string | undefined => {
    const name =
      forwarded(request, 'x-forwarded-host') ??
      forwarded(request, 'x-forwarded-server') ??
      onlyHost(request) ??
      ''
    if (!hostPattern.test(name)) return undefined
    return filter?.forcePort === undefined ? name : withPort(name, filter.forcePort)
  }
  const scheme = (request: Request): string => {
    const name =
      filter?.scheme ??
      forwarded(request, 'x-forwarded-scheme') ??
      forwarded(request, 'x-forwarded-proto') ??
      'http'
    return name.toLowerCase() === 'https' ? 'https' : 'http'
  }
  return {
    host,
    root: request => {
      const name = host(request)
      return name === undefined ? script : `${scheme(request)}://${name}${script}`
    },
    client: request => {
      if (request.headers['x-forwarded-for'] === undefined) return request.socket.remoteAddress ?? ''
      notice(request)
      const seen = forwardedFor(request)
      return seen === undefined ? (request.socket.remoteAddress ?? '') : withoutPort(seen)
    },
  }
}

/** Of two, what is in front of this server may have believed the other one (RFC 9112 §3.2). */
const onlyHost = (request: Request): string | undefined =>
  ('raw' in request ? request.raw : request).rawHeaders.filter(
    (name, i) => i % 2 === 0 && name.length === 4 && /^host$/i.test(name),
  ).length > 1
    ? undefined
    : request.headers.host

/** Some proxies add the port of the connection: `192.0.2.1:51234`, `[2001:db8::1]:51234`. */
const withoutPort = (address: string): string =>
  /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address

const withPort = (host: string, port: string): string => {
  const name = host.replace(/:\d+$/, '')
  return port === '' ? name : `${name}:${port}`
}

/** Loopback, RFC 1918, link-local and unique local addresses, and a Unix socket. */
export function isPrivateAddress(address: string | undefined): boolean {
  if (address === undefined) return true
  const plain = address.replace(/^::ffff:/i, '')
  if (isIP(plain) === 4) {
    return /^(?:127\.|10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(plain)
  }
  return /^(?:::1$|f[cd][\da-f]{2}:|fe[89ab][\da-f]:)/i.test(plain)
}
