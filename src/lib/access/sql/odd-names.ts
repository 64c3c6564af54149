import type {Dialect} from '../../sql/dialect.js'
import {specialNames} from './tables.js'

/** Rows whose `column` is a project name that is not normalised, and few others. */
export const maybeNotNormalized: Readonly<Record<Dialect['name'], (column: string) => string>> = {
  sqlite: column =>
    `(${column} <> lower(${column}) OR ${column} LIKE '%.%' OR ${column} LIKE '%\\_%' ESCAPE '\\'
      OR ${column} LIKE '%--%' OR length(${column}) <> length(cast(${column} AS blob)))`, // lower() knows ASCII only
  postgresql: column => `${column} COLLATE "C" !~ '^[a-z0-9]+(-[a-z0-9]+)*$'`,
  mysql: column =>
    `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_bin NOT REGEXP '^[a-z0-9]+(-[a-z0-9]+)*$'`,
}

const holdsControls: Readonly<Record<Dialect['name'], (column: string) => string>> = {
  sqlite: column => `${column} GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'`,
  postgresql: column => `${column} ~ '[\\x01-\\x1f\\x7f]'`,
  mysql: column => `${column} REGEXP '[[:cntrl:]]'`,
}

/** Finds the names that are refused when they are created, and few others: a dump may hold a hundred thousand. */
export const maybeRefused = (dialect: Dialect, column: string): string =>
  `(${column} IN ('__token__', 'admin', ${specialNames}) OR ${column} LIKE '%:%'
    OR length(${column}) <> length(trim(${column})) OR ${column} = '' OR length(${column}) > 255
    OR ${holdsControls[dialect.name](column)})`
