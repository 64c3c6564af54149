import {BlockList, isIP} from 'node:net'

/** `10.0.0.1`, or a network: `10.0.0.0/8`, `fd00::/8`. */
export function isAddressOrNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const longest = isIP(address) === 4 ? 32 : 128
  return (
    isIP(address) !== 0 &&
    more.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest))
  )
}

/** Whether an address is one of `texts`, or in a network of them. `unix` stands for whoever comes by a socket file. */
export function addressList(texts: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const text of texts.filter(isAddressOrNetwork)) {
    const [address = '', bits] = text.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return address => {
    if (address === undefined) return texts.includes('unix')
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}
