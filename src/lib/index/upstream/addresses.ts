import {lookup} from 'node:dns'
import {BlockList, isIP, type LookupFunction} from 'node:net'
import {UpstreamRefused} from './errors.js'

/** IPv4 that no public service has: RFC 6890 and its successors. */
const special4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]
/** IPv6 likewise, those that wrap an IPv4 address included: what they lead to is somebody else's decision. */
const special6 = [
  ...['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32'],
  ...['2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
]
/** Where clouds answer with credentials. Not even an upstream of the operator's own is there. */
const linkLocal = ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128']

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const {address, bits, family} = parseNetwork(network) ?? unreadable(network)
    list.addSubnet(address, bits, family)
  }
  return list
}

interface Network {
  readonly address: string
  readonly bits: number
  readonly family: 'ipv4' | 'ipv6'
}

/** `10.0.0.0/8` or one address. Undefined for other texts. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more !== undefined) return undefined
  const width = version === 4 ? 32 : 128
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : NaN
  if (!(bits <= width)) return undefined
  return {address, bits, family: version === 4 ? 'ipv4' : 'ipv6'}
}

const unreadable = (network: string): never => {
  throw new TypeError(network)
}

const special = {4: blockList(special4), 6: blockList(special6)}
const metadataServices = blockList(linkLocal)

/** IPv4 inside an IPv6 address as the operating system takes it: `::ffff:10.0.0.1`. */
const unwrap = (address: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address

const isIn = (list: BlockList, address: string): boolean =>
  list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** Neither loopback, private, link-local, multicast nor reserved. */
export function isPublicAddress(address: string): boolean {
  const plain = unwrap(address)
  const version = isIP(plain)
  return (version === 4 || version === 6) && !isIn(special[version], plain)
}

export interface AddressRules {
  /** Of the upstream itself, which the operator has named: it may be on a private network, never link-local. */
  readonly own?: URL | undefined
  /** Hosts, `host:port`, addresses and networks that may be private (`pypi.upstream_allow_private`). */
  readonly allowed: readonly string[]
  /** Default: the system's. Gets `all: true`. */
  readonly resolve?: typeof lookup
}

/**
 * Decides which machines are asked. Names are judged by the address that is connected to, at the moment of connecting:
 * a name that resolves to something else the second time gains nothing.
 */
export class AddressGuard {
  readonly #own: string | undefined
  readonly #hosts: ReadonlySet<string>
  readonly #networks: BlockList
  readonly #resolve: typeof lookup

  constructor({own, allowed, resolve = lookup}: AddressRules) {
    this.#resolve = resolve
    this.#own = own && hostOf(own)
    this.#networks = blockList(allowed.filter(text => parseNetwork(text) !== undefined))
    this.#hosts = new Set(allowed.map(text => text.toLowerCase()))
  }

  /** @param host as in the URL, `host:port`. @param address what is connected to. */
  allows(host: string, address: string): boolean {
    const plain = unwrap(address)
    if (isPublicAddress(plain)) return true
    if (this.#hosts.has(host) || this.#hosts.has(withoutPort(host)) || isIn(this.#networks, plain))
      return true
    return host === this.#own && !isIn(metadataServices, plain)
  }

  /** Judges an address in a URL, and what every resolver takes for this machine. @throws {UpstreamRefused} */
  checkUrl(url: URL): void {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
      throw new UpstreamRefused(`${url.protocol} is no address for a file of an upstream index`)
    }
    const host = hostOf(url)
    const name = withoutPort(host).replace(/\.$/, '')
    const address = isIP(name) > 0 ? name : /(?:^|\.)localhost$/.test(name) ? '127.0.0.1' : undefined
    if (address !== undefined && !this.allows(host, address)) throw refused(host, address)
  }

  /** For connections to `host`: resolves it, and fails when one of its addresses is not allowed. */
  lookupFor(host: string): LookupFunction {
    return (hostname, options, callback) => {
      this.#resolve(hostname, {...options, all: true}, (error, found) => {
        if (error) {
          callback(error, '', 4)
          return
        }
        const bad = found.find(({address}) => !this.allows(host, address))
        const [first] = found
        if (bad || !first) callback(refused(host, bad?.address ?? 'nothing'), '', 4)
        else if (options.all) callback(null, found)
        else callback(null, first.address, first.family)
      })
    }
  }
}

/** `host:port` in lower case, the port always there; IPv6 without brackets. */
export const hostOf = ({hostname, port, protocol}: URL): string =>
  `${hostname.replace(/^\[|\]$/g, '')}:${port || (protocol === 'https:' ? '443' : '80')}`

const withoutPort = (host: string): string => host.slice(0, host.lastIndexOf(':'))

const refused = (host: string, address: string): UpstreamRefused =>
  new UpstreamRefused(`the upstream leads to ${host}, whose address ${address} is not a public one`, {
    hint: `If that is meant, name ${withoutPort(host)} in pypi.upstream_allow_private.`,
  })
