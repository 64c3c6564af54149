import type {Entry} from 'ldapts'
import {PpcError, Unavailable} from '../../errors.js'
import {ConnectionBroken, DirectoryConnection} from './connection.js'
import type {Search} from './directory.js'
import {DirectoryFailed, hasResult, Result} from './failures.js'
import {parsePlace, type LdapSettings, type Place} from './settings.js'

/** Servers refer to each other, in circles if they are misconfigured. */
const maxServers = 10

/**
 * Asks the servers that the directory refers to, and those that they refer to, until one has somebody: as nobody, for the
 * service account's password is not for them. Never without TLS if the directory is asked with it.
 * @param references LDAP URLs (RFC 4516): `ldap://host/base??scope`
 * @throws {PpcError} when nobody was found and one of them could not be asked
 */
export async function searchReferred(
  references: readonly string[],
  search: Search,
  settings: LdapSettings,
): Promise<{entries: readonly Entry[]; place?: Place}> {
  const asked = new Set<string>()
  const waiting = [...references]
  let failure: PpcError | undefined
  for (let reference = waiting.shift(); reference !== undefined; reference = waiting.shift()) {
    if (asked.has(reference)) continue
    if (asked.size === maxServers) break
    asked.add(reference)
    try {
      const {place, base, scope} = parseReference(reference)
      const connection = await openReferred(place, settings)
      try {
        const found = await connection.run(client =>
          client.search(base || search.base, {...search, ...(scope && {scope})}),
        )
        if (found.searchEntries.length > 0) return {entries: found.searchEntries, place}
        waiting.push(...found.searchReferences)
      } finally {
        connection.close()
      }
    } catch (error) {
      if (!hasResult(error, Result.noSuchObject)) failure ??= explainReferral(reference, error, settings)
    }
  }
  if (failure !== undefined) throw failure
  return {entries: []}
}

/** With TLS where the directory itself is asked with it. */
export function openReferred(place: Place, settings: LdapSettings): Promise<DirectoryConnection> {
  const startTls = settings.startTls || settings.places.every(({tls}) => tls)
  return DirectoryConnection.open(place, {...settings, startTls})
}

/** `base` is empty where the URL has none. @throws {TypeError} */
function parseReference(reference: string): {place: Place; base: string; scope?: 'base' | 'one' | 'sub'} {
  const place = parsePlace(reference)
  if (!place || place.path !== undefined) throw new TypeError(`not an LDAP URL: ${reference}`)
  const [before = '', , scope] = reference.split('?')
  const [, base = ''] = /^\w+:\/\/[^/]*\/(.*)$/.exec(before) ?? []
  return {
    place,
    base: decodeURIComponent(base),
    ...((scope === 'base' || scope === 'one' || scope === 'sub') && {scope}),
  }
}

function explainReferral(reference: string, error: unknown, {about}: LdapSettings): PpcError {
  const place = parsePlace(reference)?.url ?? JSON.stringify(reference)
  const message = `the directory refers to ${place}, which can't be asked for users`
  const Kind = error instanceof ConnectionBroken ? Unavailable : DirectoryFailed
  return new Kind(about('auth.ldap.url', message), {
    cause: error,
    hint: 'If no users are there, set auth.ldap.ignore_referrals = true.',
  })
}
