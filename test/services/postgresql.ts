import {randomUUID} from 'node:crypto'
import {chmod} from 'node:fs/promises'
import {join} from 'node:path'
import pg from 'pg'
import {program} from '../support/needs.js'
import {makeCertificate, makeClientCertificate} from './certificate.js'
import {prepareData} from './prepared.js'
import {forServerUser} from './server-user.js'
import type {Service} from './service.js'
import {startServer} from './supervised.js'

export interface DatabaseServer extends Service {
  /** Makes another empty database on the same server, and returns its URL: much quicker than another server. */
  createDatabase(): Promise<string>
}

export interface DatabaseServerOptions {
  /**
   * Speaks TLS too, at 127.0.0.1 and, for which it has no certificate, 127.0.0.2; the user `bob` has to show a certificate
   * of his own. Beside that, listens on a socket.
   */
  readonly tls?: boolean
  /** As in `ServerSetup`. */
  readonly restarts?: boolean
}

/** With `tls`. */
export interface TlsFiles {
  /** What a client has to trust. */
  readonly caFile: string
  readonly bob: {readonly certificateFile: string; readonly keyFile: string}
  /** Of PostgreSQL the directory, as its clients call it. */
  readonly socket: string
}

const start = `
if [ -z "$4" ]; then
  exec "$1/postgres" -D "$2" -p "$3" -h 127.0.0.1 -c unix_socket_directories= -c fsync=off
fi
cp "$4/ca.pem" "$4/server.pem" "$4/server.key" "$2" && chmod 600 "$2/server.key" || exit
cat >"$2/pg_hba.conf" <<end
local all all trust
hostssl all bob 127.0.0.0/8 cert
host all ppc 127.0.0.0/8 trust
end
exec "$1/postgres" -D "$2" -p "$3" -h 127.0.0.1,127.0.0.2 -c "unix_socket_directories=$2" -c fsync=off \\
  -c ssl=on -c ssl_ca_file=ca.pem -c ssl_cert_file=server.pem -c ssl_key_file=server.key
`

/** Makes what a server needs in the empty `data`, by a command that begins `asUser`. */
export function preparePostgresql(data: string, asUser: readonly string[]): Promise<void> {
  const server = program('postgresql')
  const how = ['-A', 'trust', '-U', 'ppc', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']
  return prepareData(data, server, [...asUser, join(server, '..', 'initdb'), '-D', data, ...how])
}

/** PostgreSQL; `url` names a fresh database, whose user may do everything and needs no password. */
export async function startPostgresql({tls = false, restarts}: DatabaseServerOptions = {}): Promise<
  DatabaseServer & {tls: TlsFiles | undefined}
> {
  let files: Omit<TlsFiles, 'socket'> | undefined
  const server = await startServer({
    name: 'postgresql',
    restarts,
    async command(port, directory) {
      const data = join(directory, 'data')
      const binaries = join(program('postgresql'), '..')
      const asUser = await forServerUser('postgres', data)
      await preparePostgresql(data, asUser)
      if (tls) files = await makeTlsFiles(directory)
      const from = tls ? directory : ''
      return [...asUser, '/bin/sh', '-c', start, 'postgresql', binaries, data, String(port), from]
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
  if (tls) await query(server.port, 'CREATE USER bob SUPERUSER')
  return {
    ...server,
    url: await createDatabase(),
    createDatabase,
    tls: files && {...files, socket: join(server.directory, 'data')},
  }
}

/** Readable to the server's user, who makes copies of his own. */
export async function makeTlsFiles(directory: string): Promise<Omit<TlsFiles, 'socket'>> {
  const {caFile, keyFile} = await makeCertificate(directory)
  await chmod(keyFile, 0o644)
  return {caFile, bob: await makeClientCertificate(directory, 'bob')}
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
