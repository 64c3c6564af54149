import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import {redisCacheFields} from '../../config/schema/cache.js'
import type {DistFile, ProjectSummary} from '../../packaging/dist-file.js'
import type {DatabaseOrigin} from '../../sql/failures.js'
import type {
  Cache,
  Lock,
  LockOptions,
  SaveOptions,
  SearchCriteria,
  SearchOperator,
  WriteOptions,
} from '../cache.js'
import {RedisChanges} from './changes.js'
import {ClusterWriter} from './cluster-writer.js'
import {RedisConnection, type RedisPlaces} from './connection.js'
import {acquireRedisLock} from './lock.js'
import {RedisReader} from './reader.js'
import {listRedisSummaries, searchRedis} from './search.js'
import {RedisState} from './state.js'
import {parseRedisUrl, type RedisTarget} from './url.js'
import {SingleServerWriter, type RedisWriter} from './writer.js'

/** `pypi.db = redis`: pypicloud's keys in the server, or the cluster, of `db.url`. */
export function openRedisCache(config: Config): Promise<Cache> {
  const {url, clustered, nodes, sentinels, sentinelPassword} = config.read(redisCacheFields)
  return openRedisCacheAt(
    url,
    {file: config.file, key: 'db.url'},
    {
      ...(clustered && {clusterNodes: nodes.map(text => placeOf(text, 6379))}),
      ...(sentinels.length > 0 && {sentinels: sentinels.map(text => placeOf(text, 26379))}),
      ...(sentinelPassword !== undefined && {sentinelPassword}),
    },
  )
}

/** As `openRedisCache`, for a server that is named by its URL. `where` is for messages. */
export async function openRedisCacheAt(
  url: string,
  where: DatabaseOrigin,
  places: Omit<RedisPlaces, 'target'> = {},
): Promise<Cache> {
  const target = await parseRedisUrl(url, where)
  const name = nameOf(target, places)
  const connection = await RedisConnection.open({target, ...places}, {...where, name})
  const changes = new RedisChanges(connection)
  await changes.start()
  return new RedisCache(connection, changes)
}

class RedisCache implements Cache {
  readonly name: string
  readonly #reader: RedisReader
  readonly #writer: RedisWriter
  readonly #state: RedisState

  constructor(
    private readonly connection: RedisConnection,
    private readonly changes: RedisChanges,
  ) {
    this.name = connection.where.name
    this.#reader = new RedisReader(connection)
    const Writer = connection.isCluster ? ClusterWriter : SingleServerWriter
    this.#writer = new Writer(connection, this.#reader)
    this.#state = new RedisState(connection)
  }

  async findFile(filename: string): Promise<DistFile | undefined> {
    return (await this.#reader.rows([filename])).get(filename)?.file
  }

  /** Without rows that no list shows, so that a rebuild writes them again. */
  async findFiles(filenames: readonly string[]): Promise<Map<string, DistFile>> {
    const files = new Map<string, DistFile>()
    for (const [filename, {file, listed}] of await this.#reader.listedRows(filenames)) {
      if (listed) files.set(filename, file)
    }
    return files
  }

  listFiles(project: string): Promise<DistFile[]> {
    return this.#reader.files(project)
  }

  async listProjects(): Promise<string[]> {
    return [...(await this.#reader.projects())].sort(byCodePoint)
  }

  listSummaries(): Promise<ProjectSummary[]> {
    return listRedisSummaries(this.#reader)
  }

  listAllFiles(): AsyncIterable<DistFile> {
    return this.#reader.allFiles()
  }

  countFiles(): Promise<number> {
    return this.#reader.count()
  }

  async save(files: readonly DistFile[], options: SaveOptions = {}): Promise<DistFile[]> {
    const written = await this.#writer.save(files, options)
    await this.changes.settle()
    return written
  }

  async remove(
    files: readonly DistFile[],
    options: WriteOptions & {readonly ifUnchanged?: boolean} = {},
  ): Promise<{removed: DistFile[]; emptied: string[]}> {
    const result = await this.#writer.remove(files, options)
    await this.#state.findWitnesses()
    await this.changes.settle()
    return result
  }

  search(criteria: SearchCriteria, operator: SearchOperator): Promise<DistFile[]> {
    return searchRedis(this.#reader, criteria, operator)
  }

  changeToken(): string | Promise<string> {
    return this.changes.token()
  }

  acquireLock(name: string, options: LockOptions): Promise<Lock> {
    return acquireRedisLock(this.connection, name, options)
  }

  getState(key: string): Promise<string | undefined> {
    return this.#state.get(key)
  }

  setState(key: string, value: string | undefined, options: WriteOptions = {}): Promise<void> {
    return this.#state.set(key, value, options)
  }

  remembers(key?: string): Promise<boolean> {
    return this.#state.remembers(key)
  }

  async check(): Promise<void> {
    await this.connection.run(() => this.connection.client.ping())
    await this.#reader.listedRows([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.changes[Symbol.asyncDispose]()
    await this.connection[Symbol.asyncDispose]()
  }
}

/** For messages: the URL without user and password. */
function nameOf(
  {host, port, path, db, tls}: RedisTarget,
  {clusterNodes, sentinels}: Omit<RedisPlaces, 'target'>,
): string {
  if (path !== undefined) return `unix://${path}?db=${db}`
  const scheme = tls ? 'rediss' : 'redis'
  const place = host.includes(':') ? `[${host}]` : host
  return `${scheme}://${place}${sentinels ? '' : `:${port}`}${clusterNodes ? '' : `/${db}`}`
}

/** `host`, `host:port` or `[address]:port`. */
function placeOf(text: string, defaultPort: number): {host: string; port: number} {
  const [, address, name, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  return {host: address ?? name ?? text, port: Number(port ?? defaultPort)}
}
