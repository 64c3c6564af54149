import type {Dialect} from './dialect.js'

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  now: "unixepoch('subsec')",
  exact: column => column,
  folded: column => column, // LIKE folds ASCII
  is: (column, value) => ['?? = ?', [column, value]],
  // one value holds all: a statement with a thousand placeholders takes knex longer than SQLite
  isOneOf: (column, values) => ['?? IN (SELECT value FROM json_each(?))', [column, JSON.stringify(values)]],
  same: (a, b) => `${a} = ${b}`,
  rowsOf: result => result as Record<string, unknown>[],
  isMissingTable: (error, table) => String(error).endsWith(`no such table: ${table}`),
}
