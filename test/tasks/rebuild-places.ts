import assert from 'node:assert/strict'
import {randomUUID} from 'node:crypto'
import {openBackends} from '../../src/lib/backends.js'
import type {Cache} from '../../src/lib/cache/cache.js'
import {readConfig, type Config} from '../../src/lib/config/config.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {isOddity} from '../../src/lib/storage/storage.js'
import {bodyOf} from '../contracts/object-store.js'
import {startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {configWith, tempDir} from '../support/temp.js'

type Settings = Readonly<Record<string, string>>

/** Where a config can put its cache or its packages. */
export interface Place {
  readonly name: string
  /** Programs, for `needs`. */
  readonly needs: readonly string[]
  start(): Promise<StartedPlace>
}
export interface StartedPlace extends AsyncDisposable {
  /** What a config says to have an empty one of its own. */
  fresh(): Settings | Promise<Settings>
  /** Where the place is reached over HTTP: what was asked, and how long each request takes. */
  readonly proxy?: FaultProxy
}

const local = (name: string, settings: Settings): Place => ({
  name,
  needs: [],
  start: () => Promise.resolve({fresh: () => settings, [Symbol.asyncDispose]: () => Promise.resolve()}),
})
const served = <Kind extends Service>(
  name: string,
  program: string,
  startIt: () => Promise<Kind>,
  fresh: (service: Kind) => Settings | Promise<Settings>,
): Place => ({
  name,
  needs: [program],
  async start() {
    const service = await startIt()
    return {fresh: () => fresh(service), [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]()}
  },
})
const ownDatabase = async (server: DatabaseServer): Promise<Settings> => ({
  'db.url': await server.createDatabase(),
})

let redisDatabase = 0

/** Every cache that a rebuild has to work with. Each `fresh` one is empty. */
export const cachePlaces: readonly Place[] = [
  local('SQLite', {'db.url': 'sqlite:///%(here)s/cache.db'}),
  served('PostgreSQL', 'postgresql', () => startService('postgresql'), ownDatabase),
  served('MariaDB', 'mariadb', () => startService('mariadb'), ownDatabase),
  served(
    'Redis',
    'redis',
    () => startService('redis'),
    ({url}) => ({
      'pypi.db': 'redis',
      'db.url': `${url}/${(redisDatabase += 1)}`,
    }),
  ),
  served(
    'DynamoDB',
    'ministack',
    () => startService('ministack'),
    ({url}) => ({
      'pypi.db': 'dynamo',
      'db.region_name': 'us-east-1',
      'db.host': new URL(url).hostname,
      'db.port': new URL(url).port,
      'db.secure': 'false',
      'db.aws_access_key_id': 'AKIDEXAMPLE',
      'db.aws_secret_access_key': 'secret',
      'db.namespace': `t${randomUUID().slice(0, 8)}-`,
    }),
  ),
]

export const directory: Place = local('a directory', {
  'pypi.storage': 'file',
  'storage.dir': '%(here)s/packages',
})

/** With a proxy before it, which counts requests and can make them slow. */
export const bucket: Place = {
  name: 'a bucket',
  needs: ['versitygw'],
  async start() {
    const service = await startService('versitygw')
    const proxy = await startFaultProxy(service.url)
    return {
      proxy,
      fresh: () => ({
        'pypi.storage': 's3',
        'storage.bucket': `b-${randomUUID()}`,
        'storage.endpoint_url': proxy.url,
        'storage.region_name': 'us-east-1',
        'storage.addressing_style': 'path',
        'storage.aws_access_key_id': service.accessKeyId,
        'storage.aws_secret_access_key': service.secretAccessKey,
      }),
      async [Symbol.asyncDispose]() {
        await proxy[Symbol.asyncDispose]()
        await service[Symbol.asyncDispose]()
      },
    }
  },
}

/** A config of its own with both, opened. */
export async function installationOf(...settings: readonly (Settings | Promise<Settings>)[]) {
  const dir = await tempDir()
  const all: Record<string, string> = {'pypi.fallback': 'none', 'pypi.default_write': 'everyone'}
  for (const some of settings) Object.assign(all, await some)
  const config = await configWith(dir.path, all)
  const backends = await openBackends(config, ['storage', 'cache'])
  const storage = new PackageStorage(backends.storage)
  return {
    dir,
    config,
    configPath: dir.join('server.ini'),
    storage,
    cache: backends.cache,
    /** Into the storage, past the index. */
    put: (project: string, version: string, more: {data?: DistFile['data']; bytes?: string} = {}) =>
      storage.put(fileOf(project, version, more.data), bodyOf(more.bytes ?? `${project} ${version}`), {
        replace: true,
      }),
    [Symbol.asyncDispose]: async () => {
      await backends[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}
export type Installation = Awaited<ReturnType<typeof installationOf>>

export const fileOf = (name: string, version: string, data: DistFile['data'] = {}): DistFile => ({
  name,
  version,
  filename: `${name}-${version}.tar.gz`,
  lastModified: new Date(),
  summary: null,
  data,
})

/** What a cache and a storage say of one file, so that both can be compared. */
const facts = ({name, version, data}: DistFile) =>
  `${name} ${version} ${String(data.size)} ${String(data.fingerprint)} ${data.requires_python ?? ''}`

export async function rowsOf(cache: Cache): Promise<Record<string, string>> {
  const rows = new Map<string, string>()
  for await (const file of cache.listAllFiles()) rows.set(file.filename, facts(file))
  return Object.fromEntries(rows)
}

/** The cache has a row of every file in the storage, about that very object, and no other. @returns how many there are. */
export async function cacheEqualsStorage({
  storage,
  cache,
}: Pick<Installation, 'storage' | 'cache'>): Promise<number> {
  const stored = new Map<string, string>()
  for await (const entry of storage.list()) {
    assert.ok(!isOddity(entry), 'reason' in entry ? entry.reason : '')
    stored.set(entry.filename, facts(entry))
  }
  const sorted = [...stored].sort(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual(await rowsOf(cache), Object.fromEntries(sorted))
  return stored.size
}

/** For other processes: what `configWith` has written. */
export const readTestConfig = (path: string): Promise<Config> => readConfig(path, {environment: {}})
