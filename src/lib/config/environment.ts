import type {Setting} from './paste-settings.js'

/** Environment variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** `storage.prepend_hash` → `PPC_STORAGE_PREPEND_HASH` */
export const variableOf = (key: string): string => `PPC_${key.toUpperCase().replaceAll('.', '_')}`

/** What the environment says about `key`. It wins over the file, also when it is empty. */
export function fromEnvironment(environment: Environment, key: string): Setting | undefined {
  const variable = variableOf(key)
  const value = Object.hasOwn(environment, variable) ? environment[variable] : undefined
  return value === undefined ? undefined : {key, value, source: variable, line: 0}
}

/**
 * All variables below one of `prefixes`: with `db.`, `PPC_DB_POOL_SIZE` becomes `db.pool_size`. The underscores of
 * the rest stay, so keys with more dots can't be meant.
 */
export function importPrefixes(environment: Environment, prefixes: readonly string[]): Setting[] {
  return prefixes.flatMap(prefix => {
    const start = variableOf(prefix)
    return Object.entries(environment).flatMap(([variable, value]): Setting[] =>
      variable.startsWith(start) && variable.length > start.length && value !== undefined
        ? [{key: prefix + variable.slice(start.length).toLowerCase(), value, source: variable, line: 0}]
        : [],
    )
  })
}
