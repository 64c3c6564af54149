import mysql from 'mysql2'
import {driverCode, type Dialect} from './dialect.js'

// MySQL's usual collations take `a`, `A`, `ä` and `a ` for the same, also in keys. A comparison in the collation of the
// column uses its index and finds too much; the one of bytes beside it chooses.
const bytes = (value: string) => `CAST(CONVERT(${value} USING utf8mb4) AS BINARY)`

export const mysqlDialect: Dialect = {
  name: 'mysql',
  now: '(UNIX_TIMESTAMP(NOW(6)) + 0E0)',
  exact: column => `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_bin`,
  folded: column => `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_general_ci`,
  is: (column, value) => [`(?? = ? AND ${bytes('??')} = ${bytes('?')})`, [column, value, column, value]],
  isOneOf: (column, values) => {
    if (values.length === 0) return ['FALSE', []]
    const [texts, inBytes] = [new List(values), new List(values.map(value => Buffer.from(value)))]
    return [`(?? IN (?) AND ${bytes('??')} IN (?))`, [column, texts as never, column, inBytes as never]]
  },
  same: (a, b) => `(${a} = ${b} AND ${bytes(a)} = ${bytes(b)})`,
  rowsOf: result => (result as [Record<string, unknown>[]])[0],
  isMissingTable: (error, table) =>
    driverCode(error) === 'ER_NO_SUCH_TABLE' && String(error).includes(`.${table}'`),
}

/** Values that the driver writes out; knex does not let it see an array. */
class List {
  constructor(private readonly values: readonly (string | Buffer)[]) {}

  toSqlString(): string {
    return this.values.map(value => mysql.escape(value)).join(', ')
  }
}
