import {driverCode, type Dialect} from './dialect.js'

/** A table that was dropped while a statement looked for it, which has no code of its own. */
const droppedMeanwhile = /could not open relation with OID/

export const postgresqlDialect: Dialect = {
  name: 'postgresql',
  now: 'extract(epoch from clock_timestamp())::float8',
  exact: column => `${column} COLLATE "C"`,
  folded: column => `lower(${column} COLLATE "C")`, // in the words of a Turkish database lower('I') is no i
  is: (column, value) => (canHold(value) ? ['?? = ?', [column, value]] : ['FALSE', []]),
  isOneOf: (column, values) => ['?? = ANY(?::varchar[])', [column, values.filter(canHold)]],
  same: (a, b) => `${a} = ${b}`,
  rowsOf: result => (result as {rows: Record<string, unknown>[]}).rows,
  isMissingTable: (error, table) =>
    (driverCode(error) === '42P01' && String(error).includes(`"${table}"`)) || // undefined_table
    droppedMeanwhile.test(String(error)),
}

/** It has no text with a NUL, and fails when it is asked for one. */
const canHold = (value: string): boolean => !value.includes('\0')
