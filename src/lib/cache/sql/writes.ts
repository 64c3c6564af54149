import type {Knex} from 'knex'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Database, Insertion, SqlValue} from '../../sql/database.js'
import type {Dialect} from '../../sql/dialect.js'
import {sameRow} from '../cache.js'
import {fileOfRow, rowOfFile, type Row} from './rows.js'

const columns = ['filename', 'name', 'version', 'last_modified', 'summary', 'data'] as const

const replaced = (column: string) => `${column} = excluded.${column}`
// Others may have stored microseconds: a time that is the same to the millisecond stays as they wrote it.
const onConflict = (start: (time: string) => string) => `ON CONFLICT (filename) DO UPDATE SET
  ${['name', 'version', 'summary', 'data'].map(replaced).join(', ')},
  last_modified = CASE WHEN ${start('packages.last_modified')} = ${start('excluded.last_modified')}
    THEN packages.last_modified ELSE excluded.last_modified END`

const otherwise: Readonly<Record<Dialect['name'], string>> = {
  sqlite: onConflict(time => `substr(${time}, 1, 23)`),
  postgresql: onConflict(time => `date_trunc('milliseconds', ${time})`),
  // The key of a table of pypicloud takes `Lib-1.zip` and `lib-1.zip` for the same: NULL is refused, so that no row gets
  // the facts of another.
  mysql: `ON DUPLICATE KEY UPDATE
    name = IF(CAST(filename AS BINARY) = CAST(VALUES(filename) AS BINARY), VALUES(name), NULL),
    version = VALUES(version), summary = VALUES(summary), data = VALUES(data),
    last_modified = IF(last_modified >= VALUES(last_modified)
      AND last_modified < VALUES(last_modified) + INTERVAL 1 SECOND, last_modified, VALUES(last_modified))`,
}

/** Inserts or replaces rows. */
export async function writeFiles(
  database: Database,
  transaction: Knex,
  files: readonly DistFile[],
): Promise<void> {
  const insertion: Insertion = {table: 'packages', columns, otherwise: otherwise[database.dialect.name]}
  await database.insertMany(transaction, insertion, valuesOf(files, database.dialect))
}

function* valuesOf(files: readonly DistFile[], dialect: Dialect): Generator<SqlValue[]> {
  for (const file of dialect.name === 'sqlite' ? files : inOneOrder(files)) {
    const row = rowOfFile(file, dialect)
    yield columns.map(column => row[column])
  }
}

/** Each once, the last of its name; two writers at once, who wait for each other's rows, should do so in one order. */
const inOneOrder = (files: readonly DistFile[]): DistFile[] =>
  [...new Map(files.map(file => [file.filename, file])).values()].sort((a, b) =>
    a.filename < b.filename ? -1 : 1,
  )

/** @param options as of `Database.select`. */
export async function readFiles(
  database: Database,
  knex: Knex,
  filenames: readonly string[],
  options: {readonly forUpdate?: boolean} = {},
): Promise<Map<string, DistFile>> {
  if (filenames.length === 0) return new Map()
  const condition = database.dialect.isOneOf('filename', filenames)
  const rows = await database.select<Row>(knex, 'packages', condition, options)
  return new Map(rows.map(row => [row.filename, fileOfRow(row)]))
}

/** Those of `files` whose row is what was seen of it. */
export async function keepUnchanged(
  database: Database,
  transaction: Knex,
  files: readonly DistFile[],
  seen: ReadonlyMap<string, DistFile>,
): Promise<DistFile[]> {
  const filenames = files.map(({filename}) => filename)
  const present = await readFiles(database, transaction, filenames, {forUpdate: true})
  return files.filter(({filename}) => {
    const row = present.get(filename)
    const before = seen.get(filename)
    return row && before ? sameRow(row, before) : row === before
  })
}

export async function deleteFiles(
  transaction: Knex,
  dialect: Dialect,
  files: readonly DistFile[],
): Promise<void> {
  const filenames = files.map(({filename}) => filename).sort()
  for (let start = 0; start < filenames.length; start += namesPerStatement) {
    const [sql, bindings] = dialect.isOneOf('filename', filenames.slice(start, start + namesPerStatement))
    await transaction('packages').whereRaw(sql, bindings).delete()
  }
}
const namesPerStatement = 1000
