import {once} from 'node:events'
import {connect, createServer, type Socket} from 'node:net'
import type {Access} from '../../src/lib/access/access.js'
import {openLdapAccess} from '../../src/lib/access/ldap/ldap.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import type {Config} from '../../src/lib/config/config.js'
import {freePort} from '../support/free-port.js'
import {configWith, tempDir} from '../support/temp.js'

/** A config that names a directory, without a place for its file. */
export async function ldapConfig(settings: Record<string, string>, extra = ''): Promise<Config> {
  await using directory = await tempDir()
  const common = {'storage.dir': 'x', 'db.url': 'sqlite://', 'pypi.auth': 'ldap'}
  return await configWith(directory.path, {...common, ...settings}, extra)
}

export interface OpenLdap extends AsyncDisposable {
  readonly access: Access
  readonly policy: AccessPolicy
  /** What the log would say of accounts that nobody can use. */
  readonly problems: string[]
}

export async function openLdap(settings: Record<string, string>, extra = ''): Promise<OpenLdap> {
  const config = await ldapConfig(settings, extra)
  const access = await openLdapAccess(config)
  const problems: string[] = []
  const policy = new AccessPolicy(access, config, {
    onUnusableAccount: (username, problem) => problems.push(`${username}: ${problem}`),
  })
  return {access, policy, problems, [Symbol.asyncDispose]: () => access[Symbol.asyncDispose]()}
}

/** A way to a server that can be cut, closed, or left without anybody at its end. */
export interface Gate extends AsyncDisposable {
  /** `ldap://127.0.0.1:PORT`, also while it is closed. */
  readonly url: string
  /** `deaf`: bytes are taken and nothing comes back. `closed`: connections are refused. */
  state: 'open' | 'deaf'
  /** Connections that are open now, and the most that were at once. */
  readonly connections: {now: number; most: number}
  /** Breaks every connection. */
  cut(): void
  /** Breaks every connection and takes no new ones, until `reopen`. */
  close(): Promise<void>
  reopen(): Promise<void>
}

export async function openGate(targetPort: number): Promise<Gate> {
  const sockets = new Set<Socket>()
  const connections = {now: 0, most: 0}
  const server = createServer(client => {
    connections.now += 1
    connections.most = Math.max(connections.most, connections.now)
    sockets.add(client)
    client
      .on('error', () => undefined)
      .once('close', () => {
        sockets.delete(client)
        connections.now -= 1
      })
    if (gate.state === 'deaf') {
      client.resume()
      return
    }
    const target = connect(targetPort, '127.0.0.1').on('error', () => client.destroy())
    client.on('data', data => {
      if (gate.state === 'open') target.write(data)
    })
    target.on('data', data => {
      if (gate.state === 'open') client.write(data)
    })
    target.once('close', () => client.destroy())
    client.once('close', () => target.destroy())
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const port = await freePort() // one that nobody else is given while it is closed
  await listen(port)
  const gate: Gate = {
    url: `ldap://127.0.0.1:${port}`,
    state: 'open',
    connections,
    cut: () => sockets.forEach(socket => socket.destroy()),
    async close() {
      const closed = once(server, 'close')
      server.close()
      gate.cut()
      await closed
    },
    reopen: () => listen(port),
    async [Symbol.asyncDispose]() {
      if (server.listening) await gate.close()
    },
  }
  return gate
}
