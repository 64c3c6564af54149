import {randomUUID} from 'node:crypto'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {createConnection} from 'mysql2/promise'
import {program} from '../support/needs.js'
import {prepareData} from './prepared.js'
import {makeTlsFiles, type DatabaseServer, type DatabaseServerOptions, type TlsFiles} from './postgresql.js'
import {forServerUser} from './server-user.js'
import {startServer} from './supervised.js'

// servers that share a directory for temporary tables remove each other's
const start = `
tls="" &&
if [ -n "$5" ]; then tls="--ssl-ca=$5/ca.pem --ssl-cert=$5/server.pem --ssl-key=$5/server.key"; fi &&
exec "$1" --no-defaults --datadir="$2" --tmpdir="$2" --port="$3" --bind-address=127.0.0.1\${5:+,127.0.0.2} --socket="$2/s" --init-file="$4" \\
  --character-set-server=utf8mb4 --skip-name-resolve --innodb-flush-log-at-trx-commit="$6" --innodb-buffer-pool-size=32M $tls
`

/** As `preparePostgresql`. */
export function prepareMariadb(data: string, asUser: readonly string[]): Promise<void> {
  const place = ['--no-defaults', `--datadir=${data}`, `--tmpdir=${data}`]
  const how = ['--auth-root-authentication-method=normal', '--skip-test-db']
  return prepareData(data, program('mariadb'), [...asUser, 'mariadb-install-db', ...place, ...how])
}

/** MariaDB; `url` (`mysql://`) names a fresh database, whose user may do everything. */
export async function startMariadb({tls = false, restarts}: DatabaseServerOptions = {}): Promise<
  DatabaseServer & {tls: TlsFiles | undefined}
> {
  let files: Omit<TlsFiles, 'socket'> | undefined
  const server = await startServer({
    name: 'mariadb',
    restarts,
    async command(port, directory) {
      const data = join(directory, 'data')
      const asUser = await forServerUser('mysql', data)
      const users = join(directory, 'users.sql')
      await writeFile(
        users,
        [
          "CREATE USER IF NOT EXISTS ppc@'127.0.0.1' IDENTIFIED BY 'ppc'",
          "GRANT ALL ON *.* TO ppc@'127.0.0.1' WITH GRANT OPTION",
          "CREATE USER IF NOT EXISTS ppc@localhost IDENTIFIED BY 'ppc'",
          'GRANT ALL ON *.* TO ppc@localhost',
          "CREATE USER IF NOT EXISTS bob@'127.0.0.1' REQUIRE X509",
          "GRANT ALL ON *.* TO bob@'127.0.0.1'",
          '',
        ].join(';\n'),
      )
      await prepareMariadb(data, asUser)
      if (tls) files = await makeTlsFiles(directory)
      const from = tls ? directory : ''
      return [
        ...asUser,
        '/bin/sh',
        '-c',
        start,
        'mariadb',
        program('mariadb'),
        data,
        String(port),
        users,
        from,
        restarts ? '2' : '0', // with 0 a killed server forgets its last second
      ]
    },
    answers: async port => {
      await query(port, 'SELECT 1')
      return true
    },
  })
  const createDatabase = async () => {
    const name = `test_${randomUUID().replaceAll('-', '')}`
    await query(server.port, `CREATE DATABASE ${name}`)
    return `${urlOf(server.port)}/${name}`
  }
  return {
    ...server,
    url: await createDatabase(),
    createDatabase,
    tls: files && {...files, socket: join(server.directory, 'data', 's')},
  }
}

const urlOf = (port: number): string => `mysql://ppc:ppc@127.0.0.1:${port}`

async function query(port: number, sql: string): Promise<void> {
  const connection = await createConnection(urlOf(port))
  try {
    await connection.query(sql)
  } finally {
    connection.destroy()
  }
}
