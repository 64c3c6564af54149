import {FilterParser, type Entry} from 'ldapts'
import {ConfigError} from '../../config/config.js'
import type {Directory, Search} from './directory.js'
import {valuesOf} from './directory.js'
import {comparedAttributes, escapeDnValue, escapeFilterValue, fillTemplate, tidyFilter} from './escape.js'
import {explainDirectory, hasResult, Result} from './failures.js'
import {searchReferred} from './referrals.js'
import type {Place} from './settings.js'

export interface DirectoryUser {
  readonly dn: string
  readonly admin: boolean
  /** As the directory spells the name, where it tells: it compares names without regard to case and blanks. */
  readonly name: string
  /** The server that has the entry, if it is another one. */
  readonly place?: Place
}
/** A name that several entries have. */
export interface SeveralUsers {
  readonly dns: readonly string[]
}

/** No directory has longer ones, and slapd closes the connection over a request of 256 KB. */
const maxNameLength = 32_768
/** As many as a message names. */
const maxResults = 5

/** Finds users as `auth.ldap.user_dn_format`, or `base_dn` and `user_search_filter`, say (COMPAT §5.9). */
export class DirectoryUsers {
  readonly #template: string
  readonly #compared: readonly string[]

  /** @throws {ConfigError} for a filter that is none */
  constructor(private readonly directory: Directory) {
    const {userDnFormat, userSearchFilter = ''} = directory.settings.values
    this.#template = userDnFormat ?? tidyFilter(userSearchFilter)
    this.#compared = comparedAttributes(this.#template)
    if (userDnFormat === undefined) this.#checkFilter()
  }

  /** @throws {PpcError} when the directory can't be asked */
  async find(username: string): Promise<DirectoryUser | SeveralUsers | undefined> {
    if (username === '' || username.length > maxNameLength) return undefined
    const {ignoreMultipleResults} = this.directory.settings.values
    const {entries, place} = await this.#search(username)
    const [entry] = entries
    if (!entry || entry.dn === '') return undefined
    if (entries.length > 1 && !ignoreMultipleResults) return {dns: entries.map(({dn}) => dn)}
    return {
      dn: entry.dn,
      name: this.#spell(username, entry),
      admin: this.#hasAdminValue(entry) || (await this.#isInAdminGroup(entry.dn)),
      ...(place && {place}),
    }
  }

  async #search(username: string): Promise<{entries: readonly Entry[]; place?: Place}> {
    const {settings} = this.directory
    const {ignoreReferrals} = settings.values
    const search = this.#searchFor(username)
    try {
      const {searchEntries, searchReferences} = await this.directory.search(search)
      if (searchEntries.length > 0 || searchReferences.length === 0 || ignoreReferrals) {
        return {entries: searchEntries}
      }
      return await searchReferred(searchReferences, search, settings)
    } catch (error) {
      if (hasResult(error, Result.noSuchObject, Result.invalidDnSyntax, Result.invalidAttributeSyntax)) {
        return {entries: []}
      }
      if (ignoreReferrals && hasResult(error, Result.referral)) return {entries: []}
      throw explainDirectory(error, settings)
    }
  }

  #searchFor(username: string): Search {
    const {userDnFormat, baseDn = '', adminField} = this.directory.settings.values
    const attributes = [...this.#compared, ...(adminField === undefined ? [] : [adminField])]
    const common = {attributes: attributes.length > 0 ? attributes : ['1.1'], sizeLimit: maxResults}
    if (userDnFormat !== undefined) {
      return {...common, base: fillTemplate(userDnFormat, escapeDnValue(username)), scope: 'base'}
    }
    const filter = FilterParser.parseString(fillTemplate(this.#template, escapeFilterValue(username)))
    return {...common, base: baseDn, scope: 'sub', filter}
  }

  #hasAdminValue(entry: Entry): boolean {
    const {adminField, adminValue} = this.directory.settings.values
    return adminField !== undefined && valuesOf(entry, adminField).some(value => adminValue.includes(value))
  }

  async #isInAdminGroup(dn: string): Promise<boolean> {
    const {settings} = this.directory
    const {adminGroupDn} = settings.values
    if (adminGroupDn === undefined) return false
    const value = escapeFilterValue(dn)
    const filter = `(|(member=${value})(&(objectClass=groupOfUniqueNames)(uniqueMember=${value})))`
    try {
      const found = await this.directory.search({
        base: adminGroupDn,
        scope: 'base',
        attributes: ['1.1'],
        filter: FilterParser.parseString(filter),
      })
      return found.searchEntries.length > 0
    } catch (error) {
      if (hasResult(error, Result.noSuchObject)) return false
      throw explainDirectory(error, settings)
    }
  }

  /** The value of the entry that the name was compared with. */
  #spell(username: string, entry: Entry): string {
    const values = this.#compared.flatMap(attribute => valuesOf(entry, attribute))
    if (values.includes(username)) return username
    const folded = foldName(username)
    const same = values.find(value => foldName(value) === folded)
    return same ?? (values.length === 1 && this.#compared.length === 1 ? values[0] : undefined) ?? username
  }

  #checkFilter(): void {
    try {
      FilterParser.parseString(fillTemplate(this.#template, 'x'))
    } catch (error) {
      const {values, problem} = this.directory.settings
      const message = `found ${JSON.stringify(values.userSearchFilter)}, expected a filter such as (uid={username})`
      throw new ConfigError([problem('auth.ldap.user_search_filter', message)], error)
    }
  }
}

/** Equal for names that a directory may take for the same. */
export const foldName = (name: string): string =>
  name.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
