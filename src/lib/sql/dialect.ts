import type {Knex} from 'knex'

/** A condition with `?` for its values and `??` for its columns, and both of them. */
export type Condition = readonly [sql: string, bindings: Knex.RawBinding[]]

/** What the databases say in different words. Texts are SQL; columns in them are written as they stand. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgresql' | 'mysql'
  /** The database's clock: seconds since 1970, with a fraction. */
  readonly now: string
  /** `column` so that it sorts and differs by code point, whatever its collation. */
  exact(column: string): string
  /** `column` so that LIKE takes upper and lower case of ASCII for the same, and patterns in lower case. */
  folded(column: string): string
  /** Rows whose `column` is exactly `value`, found by its index. */
  is(column: string, value: string): Condition
  /** Rows whose `column` is exactly one of `values`, found by its index. */
  isOneOf(column: string, values: readonly string[]): Condition
  /** Whether two columns hold exactly the same text, found by their indexes. */
  same(a: string, b: string): string
  /** What a raw query resolves to. */
  rowsOf(result: unknown): Record<string, unknown>[]
  /** What the driver's error says when the table does not exist. */
  isMissingTable(error: unknown, table: string): boolean
}

/** The code of a driver's error, or of the one that a PpcError was made of. */
export function driverCode(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string' && !current.code.startsWith('PPC_'))
      return current.code
  }
  return ''
}
