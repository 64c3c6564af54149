import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import {ConfigError, type ConfigProblem} from '../../config/problems.js'
import {InvalidInput} from '../../errors.js'
import {byAge, withoutUse, type ApiToken, type StoredToken, type TokenStore} from './api-token.js'
import {fieldsOf, tokenOf} from './token-fields.js'

/** As a key of a configuration file names a token. */
const family = 'token.'

/**
 * The tokens of a configuration file, where the backend's users can't be written: `token.ID = scopes=… owner=…`.
 * @throws {ConfigError} with every line that is none
 */
export function readConfigTokens(config: Config): TokenStore {
  const tokens = new Map<string, StoredToken>()
  const problems: ConfigProblem[] = []
  for (const {key, value, source, line} of config.family(family)) {
    try {
      const token = parseConfigToken(key.slice(family.length), value)
      tokens.set(token.id, {...token, lastUsed: null})
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error
      problems.push({
        file: source,
        line,
        key,
        message: `${error.message}; ppc token create prints such lines`,
      })
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    find: id => Promise.resolve(tokens.get(id)),
    list: owner => {
      const found = [...tokens.values()].filter(token => owner === undefined || token.owner === owner)
      return Promise.resolve(found.sort((a, b) => byCodePoint(a.owner, b.owner) || byAge(a, b)))
    },
  }
}

/** For a dump, without when they were used: two dumps of the same tokens are the same. */
export async function* exportTokens(store: TokenStore): AsyncGenerator<ApiToken & {kind: 'token'}> {
  const tokens = await store.list()
  tokens.sort((a, b) => byCodePoint(a.owner, b.owner) || byCodePoint(a.id, b.id))
  for (const token of tokens) yield {kind: 'token', ...withoutUse(token)}
}

/** What may hold blanks comes last: the name, which has no equals sign, and the owner, who may have anything. */
const order = ['scopes', 'projects', 'created', 'expires', 'sha256', 'name'] as const

/** Key and value of the setting that makes a backend know `token`. A `%` in it is not doubled yet. */
export function formatConfigToken(token: ApiToken): {key: string; value: string} {
  const fields = fieldsOf(token)
  const words = order.filter(field => fields[field]).map(field => `${field}=${fields[field] ?? ''}`)
  return {key: `${family}${token.id}`, value: `${words.join(' ')} owner=${token.owner}`}
}

function parseConfigToken(id: string, value: string): ApiToken {
  const fields: Record<string, string> = {id}
  const ownerAt = value.search(/(?:^|\s)owner=/)
  if (ownerAt >= 0) fields['owner'] = value.slice(value.indexOf('owner=', ownerAt) + 'owner='.length)
  const before = ownerAt < 0 ? value : value.slice(0, ownerAt)
  const starts = [...before.matchAll(/(?:^|\s)(\w+)=/g)]
  for (const [index, match] of starts.entries()) {
    const [whole, field = ''] = match
    fields[field] = before.slice(match.index + whole.length, starts[index + 1]?.index).trim()
  }
  return tokenOf(fields)
}
