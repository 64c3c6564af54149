import {Client} from 'ldapts'
import type {startService} from '../services/index.js'

export type Slapd = Awaited<ReturnType<typeof startService<'slapd'>>>
/** A DN and its attributes. */
export type TreeEntry = readonly [dn: string, attributes: Readonly<Record<string, string | string[]>>]

export const organization = (dn: string): TreeEntry => [
  dn,
  {objectClass: 'organizationalUnit', ou: /^ou=([^,]+)/.exec(dn)?.[1] ?? ''},
]
export const person = (dn: string, more: Readonly<Record<string, string | string[]>>): TreeEntry => [
  dn,
  {objectClass: 'inetOrgPerson', cn: 'x', sn: 'x', ...more},
]

/** Does something with the directory as its administrator. */
export async function administer(slapd: Slapd, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({url: slapd.url, timeout: 20_000})
  try {
    await client.bind(slapd.adminDn, slapd.adminPassword)
    await work(client)
  } finally {
    await client.unbind()
  }
}

export const addEntries = (slapd: Slapd, entries: readonly TreeEntry[]): Promise<void> =>
  administer(slapd, async client => {
    for (const [dn, attributes] of entries) await client.add(dn, {...attributes})
  })
