import {randomUUID} from 'node:crypto'
import {join} from 'node:path'
import pg from 'pg'
import {program} from '../support/needs.js'
import {forServerUser} from './server-user.js'
import type {Service} from './service.js'
import {startServer} from './supervised.js'

export interface DatabaseServer extends Service {
  /** Makes another empty database on the same server, and returns its URL: much quicker than another server. */
  createDatabase(): Promise<string>
}

const start = `
"$1/initdb" -D "$2" -A trust -U ppc -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null &&
exec "$1/postgres" -D "$2" -p "$3" -h 127.0.0.1 -c unix_socket_directories= -c fsync=off
`

/** PostgreSQL; `url` names a fresh database, whose user may do everything and needs no password. */
export async function startPostgresql(): Promise<DatabaseServer> {
  const server = await startServer({
    name: 'postgresql',
    async command(port, directory) {
      const data = join(directory, 'data')
      const binaries = join(program('postgresql'), '..')
      const asUser = await forServerUser('postgres', data)
      return [...asUser, '/bin/sh', '-c', start, 'postgresql', binaries, data, String(port)]
    },
    answers: async port => {
      await query(port, 'SELECT 1')
      return true
    },
    signal: 'INT', // SIGTERM waits for the clients to leave
  })
  const createDatabase = async () => {
    const name = `test_${randomUUID().replaceAll('-', '')}`
    await query(server.port, `CREATE DATABASE ${name}`)
    return `postgres://ppc@127.0.0.1:${server.port}/${name}`
  }
  return {...server, url: await createDatabase(), createDatabase}
}

async function query(port: number, sql: string): Promise<void> {
  const client = new pg.Client({host: '127.0.0.1', port, user: 'ppc', database: 'postgres'})
  try {
    await client.connect()
    await client.query(sql)
  } finally {
    await client.end()
  }
}
