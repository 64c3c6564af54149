import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {program} from '../support/needs.js'
import {redisCli, startRedisServer} from './redis.js'
import type {Service} from './service.js'
import {startSeveral} from './several.js'
import {startServer, type RunningServer} from './supervised.js'

export interface RedisSentinel extends Service {
  /** Under which name the sentinel knows the master. */
  readonly masterName: string
  /** Dispose of it, and in a few seconds the sentinel makes the replica the master. */
  readonly master: RunningServer
  readonly replica: RunningServer
}

const masterName = 'main'

/** A Redis master, its replica, and a sentinel, to which `url` leads. */
export function startRedisSentinel(): Promise<RedisSentinel> {
  return startSeveral(async keep => {
    const master = keep(await startRedisServer(['--repl-diskless-sync-delay', '0']))
    const replica = keep(await startRedisServer(['--replicaof', `127.0.0.1 ${master.port}`]))
    const sentinel = keep(await startSentinel(master.port))
    return {...sentinel, url: `redis://127.0.0.1:${sentinel.port}`, masterName, master, replica}
  })
}

/** One sentinel that decides alone, once it has heard of the replica. */
function startSentinel(masterPort: number): Promise<RunningServer> {
  return startServer({
    name: 'redis-sentinel',
    async command(port, directory) {
      const file = join(directory, 'sentinel.conf')
      const settings = [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${directory}`,
        `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 1`,
        `sentinel down-after-milliseconds ${masterName} 500`,
        `sentinel failover-timeout ${masterName} 3000`,
      ]
      await writeFile(file, `${settings.join('\n')}\n`)
      return [program('redis'), file, '--sentinel']
    },
    answers: async port => {
      const replicas = await redisCli(['-p', String(port), 'sentinel', 'replicas', masterName])
      return replicas.includes('master-link-status\nok')
    },
  })
}
