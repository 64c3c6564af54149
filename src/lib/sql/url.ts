/** What an SQLAlchemy URL says. Passwords are decoded; nothing of this goes into a message but the dialect. */
export type DatabaseUrl = SqliteUrl | ServerUrl<'postgresql'> | ServerUrl<'mysql'>
export interface SqliteUrl {
  readonly dialect: 'sqlite'
  /** As written: relative to the process's working directory. Undefined: a database in memory. */
  readonly path: string | undefined
  readonly query: URLSearchParams
}
export interface ServerUrl<Dialect extends 'postgresql' | 'mysql' = 'postgresql' | 'mysql'> {
  readonly dialect: Dialect
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly query: URLSearchParams
}

/** SQLAlchemy names, with those that it or its drivers once had. */
const dialects: Readonly<Record<string, DatabaseUrl['dialect']>> = {
  sqlite: 'sqlite',
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
}

// The parts as SQLAlchemy 1.3 finds them (engine/url.py): a password may hold any character, `@` and `/` included.
const form = new RegExp(
  '^(?<scheme>[\\w+]+)://' +
    '(?:(?<username>[^:/]*)(?::(?<password>.*))?@)?' +
    '(?:(?:\\[(?<ipv6>[^/]+)\\]|(?<host>[^/:]+))?(?::(?<port>[^/]*))?)?' +
    '(?:/(?<path>.*))?$',
)

/**
 * Parses `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` (in memory) and the forms of PostgreSQL and
 * MySQL, with or without a driver (`mysql+pymysql://`).
 * @returns undefined for anything else.
 */
export function parseDatabaseUrl(url: string): DatabaseUrl | undefined {
  const parts = form.exec(url.trim())?.groups
  const dialect = own(dialects, parts?.['scheme']?.split('+')[0] ?? '')
  if (!parts || !dialect) return undefined
  const [path, ...options] = (parts['path'] ?? '').split('?')
  const query = new URLSearchParams(options.join('?'))
  if (dialect === 'sqlite') {
    if (parts['host'] ?? parts['ipv6'] ?? parts['port'] ?? parts['username']) return undefined // `sqlite://relative.db`
    return {dialect, path: sqlitePath(path ?? ''), query}
  }
  const port = parts['port'] ? Number(parts['port']) : undefined
  if (port !== undefined && !Number.isInteger(port)) return undefined
  const server = {
    host: parts['ipv6'] ?? parts['host'],
    port,
    username: decode(parts['username']),
    password: decode(parts['password']),
    database: path === '' ? undefined : path,
    query,
  }
  return dialect === 'mysql' ? {dialect, ...server} : {dialect, ...server}
}

/** `file:/srv/x.db` is how SQLAlchemy's URLs carry SQLite's own (`?uri=true`). */
function sqlitePath(path: string): string | undefined {
  const plain = path.replace(/^file:(?:\/\/(?=\/))?/, '')
  return plain === '' || plain === ':memory:' ? undefined : plain
}

function decode(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text // a bare `%` stands for itself, as in Python
  }
}

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined
