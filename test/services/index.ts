import {startAzurite} from './azurite.js'
import {startDynalite} from './dynalite.js'
import {startFakeGcsServer} from './fake-gcs-server.js'
import {startMariadb} from './mariadb.js'
import {startMinistack} from './ministack.js'
import {startMoto} from './moto.js'
import {startPostgresql} from './postgresql.js'
import {startRedisCluster} from './redis-cluster.js'
import {startRedisSentinel} from './redis-sentinel.js'
import {startRedis} from './redis.js'
import {startSlapd} from './slapd.js'
import {startVersitygw} from './versitygw.js'

export type {Service} from './service.js'

const services = {
  azurite: startAzurite,
  dynalite: startDynalite,
  'fake-gcs-server': startFakeGcsServer,
  mariadb: startMariadb,
  ministack: startMinistack,
  moto: startMoto,
  postgresql: startPostgresql,
  redis: startRedis,
  'redis-cluster': startRedisCluster,
  'redis-sentinel': startRedisSentinel,
  slapd: startSlapd,
  versitygw: startVersitygw,
}

export type ServiceName = keyof typeof services

type Start<Name extends ServiceName> = (typeof services)[Name]

/**
 * Starts a real server for a test and waits until it answers: `await using moto = await startService('moto')`. Whether it is
 * installed tells `needs('moto')`. It is empty, and ends when it is disposed of or when the test's process does.
 */
export function startService<Name extends ServiceName>(
  name: Name,
  ...options: Parameters<Start<Name>>
): ReturnType<Start<Name>> {
  const start = services[name] as (...options: Parameters<Start<Name>>) => ReturnType<Start<Name>>
  return start(...options)
}
