import {createConnection} from 'mysql2/promise'
import pg from 'pg'

/** Another program on a database: runs statements as they stand. */
export interface SqlClient extends AsyncDisposable {
  /** Rows of the one query in `sql`. Of a script, nothing useful. */
  run(sql: string): Promise<Record<string, unknown>[]>
}

/** @param url of a service of the tests. */
export async function sqlClient(url: string): Promise<SqlClient> {
  if (url.startsWith('mysql')) {
    const client = await createConnection({uri: url, multipleStatements: true, dateStrings: true})
    return {
      run: async sql => (await client.query(sql))[0] as unknown as Record<string, unknown>[],
      [Symbol.asyncDispose]: () => client.end(),
    }
  }
  const client = new pg.Client({connectionString: url})
  await client.connect()
  return {
    run: async sql =>
      (await client.query(sql.replaceAll(/^\\\w+ .*$/gm, ''))).rows as Record<string, unknown>[],
    [Symbol.asyncDispose]: () => client.end(),
  }
}
