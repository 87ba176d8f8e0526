/**
 * Where the hub itself may connect to. It stands inside a network, and whoever may name an address for it to ask could
 * reach what listens there for insiders alone (server-side request forgery). So only addresses of the public internet are
 * taken, besides those that the operator lists, and it is the very address of the connection that is judged.
 * Source: the IANA registries of special-purpose IPv4 and IPv6 addresses.
 */
import { lookup as systemLookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { LookupFunction } from 'node:net'

const SPECIAL_IPV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]
/** Of IPv6 only this is the public internet: no mapped, unique-local, link-local or multicast address is in it. */
const PUBLIC_IPV6 = ['2000::/3']
/** Within that, what carries IPv4 addresses (Teredo, 6to4) or is for documents. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

const specialIpv4 = blockList(SPECIAL_IPV4)
const publicIpv6 = blockList(PUBLIC_IPV6)
const specialIpv6 = blockList(SPECIAL_IPV6)

export type AddressRule = (address: string) => boolean

/** @param networks that the operator allows: addresses, or `<address>/<bits>`. */
export function addressRule(networks: readonly string[]): AddressRule {
  const allowed = blockList(networks)
  return (address) => {
    if (isIPv4(address)) return allowed.check(address, 'ipv4') || !specialIpv4.check(address, 'ipv4')
    // One with a zone (`fe80::1%eth0`) is link-local.
    if (!isIPv6(address) || address.includes('%')) return false
    if (allowed.check(address, 'ipv6')) return true
    return publicIpv6.check(address, 'ipv6') && !specialIpv6.check(address, 'ipv6')
  }
}

/** What an attempt fails with before anything was sent. */
export class ForbiddenAddress extends Error {
  constructor(host: string) {
    super(`${host} is no address of the public internet`)
  }
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * Looks a name up for node:http, which connects to what it is given and asks no second time: a name that changes its
 * address between check and connection gains nothing.
 */
export function guardedLookup(isAllowed: AddressRule, resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = error ? [] : addresses.filter(({ address }) => isAllowed(address))
      const [first] = allowed
      if (error) callback(error, [])
      else if (first === undefined) callback(new ForbiddenAddress(hostname), [])
      else if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    list.addSubnet(address, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family)
  }
  return list
}
