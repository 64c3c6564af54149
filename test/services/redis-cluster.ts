import {setTimeout as sleep} from 'node:timers/promises'
import {freePort} from '../support/free-port.js'
import {redisCli, startRedisServer} from './redis.js'
import type {Service} from './service.js'
import {startSeveral} from './several.js'

export interface RedisCluster extends Service {
  /** The URLs of its three masters; `url`, `port` and `pid` are the first one's. */
  readonly nodes: readonly string[]
}

/** A Redis Cluster of three masters, which share the slots. */
export function startRedisCluster(): Promise<RedisCluster> {
  return startSeveral(async keep => {
    const first = keep(await startNode())
    const servers = [first, keep(await startNode()), keep(await startNode())]
    const addresses = servers.map(({port}) => `127.0.0.1:${port}`)
    await redisCli(['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes'])
    for (const {port} of servers) await untilReady(port)
    return {
      ...first,
      url: `redis://127.0.0.1:${first.port}`,
      nodes: addresses.map(address => `redis://${address}`),
      log: () => servers.map(server => server.log()).join('\n'),
    }
  })
}

async function startNode() {
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
  return startRedisServer([...cluster, '--cluster-port', String(await freePort())])
}

async function untilReady(port: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const state = await redisCli(['-p', String(port), 'cluster', 'info'])
    if (state.includes('cluster_state:ok')) return
    await sleep(100)
  }
  throw new Error(`the Redis cluster node at 127.0.0.1:${port} did not get ready`)
}
