import {execFile} from 'node:child_process'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {program} from '../support/needs.js'
import {makeCertificate} from './certificate.js'
import type {Service} from './service.js'
import {startServer, type RunningServer} from './supervised.js'

const run = promisify(execFile)

export interface RedisOptions {
  /** Speaks nothing but TLS, and `url` is `rediss://`. */
  readonly tls?: boolean
  readonly password?: string
  /** More of its settings: `['--maxmemory', '10mb']`. */
  readonly settings?: readonly string[]
  /** As in `ServerSetup`. */
  readonly restarts?: boolean
}

export interface Redis extends Service {
  /** With `tls`: what a client has to trust. */
  readonly caFile: string | undefined
}

/** Redis without persistence. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const {tls = false, password, settings = [], restarts} = options
  const access = password === undefined ? [] : ['--requirepass', password]
  const server = await startRedisServer([...access, ...settings], {tls, password, restarts})
  const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`
  const url = `${tls ? 'rediss' : 'redis'}://${credentials}127.0.0.1:${server.port}`
  return {...server, url, caFile: tls ? join(server.directory, 'ca.pem') : undefined}
}

/** Starts the program with these settings and waits for its PONG. */
export function startRedisServer(
  settings: readonly string[],
  {
    tls = false,
    password,
    restarts,
  }: {tls?: boolean; password?: string | undefined; restarts?: boolean | undefined} = {},
): Promise<RunningServer> {
  return startServer({
    name: 'redis',
    restarts,
    async command(port, directory) {
      let address = ['--port', String(port)]
      if (tls) {
        const {caFile, certificateFile, keyFile} = await makeCertificate(directory)
        const files = [
          '--tls-cert-file',
          certificateFile,
          '--tls-key-file',
          keyFile,
          '--tls-ca-cert-file',
          caFile,
        ]
        address = ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...files]
      }
      const place = ['--bind', '127.0.0.1', '--dir', directory, '--save', '']
      return [program('redis'), ...address, ...place, ...settings]
    },
    answers: async (port, directory) => {
      const trust = tls ? ['--tls', '--cacert', join(directory, 'ca.pem')] : []
      const access = password === undefined ? [] : ['--no-auth-warning', '-a', password]
      return (await redisCli(['-p', String(port), ...trust, ...access, 'ping'])).trim() === 'PONG'
    },
  })
}

/** Runs `redis-cli` against 127.0.0.1 and returns what it says. */
export async function redisCli(args: readonly string[]): Promise<string> {
  const {stdout} = await run(program('redis-cli'), args, {timeout: 30_000})
  return stdout
}
