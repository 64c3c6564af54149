/** The dialect classes that knex keeps out of its types. */
declare module 'knex/lib/dialects/better-sqlite3/index.js' {
  import type {Knex} from 'knex'
  export default class BetterSqlite3Client extends Knex.Client {
    _query(connection: unknown, query: unknown): Promise<unknown>
  }
}
declare module 'knex/lib/dialects/postgres/index.js' {
  import type {Knex} from 'knex'
  export default class PostgresClient extends Knex.Client {}
}
declare module 'knex/lib/dialects/mysql2/index.js' {
  import type {Knex} from 'knex'
  export default class Mysql2Client extends Knex.Client {}
}
