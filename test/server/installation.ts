import {cp, readFile, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {FastifyInstance} from 'fastify'
import {openBackends, type Backends} from '../../src/lib/backends.js'
import {readConfig, type Config} from '../../src/lib/config/config.js'
import {createApp} from '../../src/lib/server/app.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

/** A server over real backends in a folder of its own. */
export interface Installation extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly backends: Backends
  readonly config: Config
  readonly directory: string
}

/** A copy of what pypicloud wrote, with its file times. */
export async function copyPypicloudState(directory: string): Promise<void> {
  await cp(join(fixtures, 'file-storage/packages'), join(directory, 'packages'), {recursive: true})
  await cp(join(fixtures, 'sql/access.db'), join(directory, 'access.db'))
  await cp(join(fixtures, 'sql/cache.db'), join(directory, 'cache.db'))
  const times = JSON.parse(await readFile(join(fixtures, 'file-storage/mtimes.json'), 'utf8')) as Record<
    string,
    {mtime: number}
  >
  for (const [path, {mtime}] of Object.entries(times))
    await utimes(join(directory, 'packages', path), mtime, mtime)
}

/** Opens `ini`, whose `%(here)s` is a fresh folder that `prepare` has filled. The cache is complete, as after a start. */
export async function install(
  ini: string,
  prepare: (directory: string) => Promise<void> = () => Promise.resolve(),
): Promise<Installation> {
  const directory = await tempDir()
  await prepare(directory.path)
  const file = directory.join('server.ini')
  await writeFile(file, ini)
  const config = await readConfig(file, {environment: {}})
  const backends = await openBackends(config, ['storage', 'cache', 'access'])
  await rebuildCache({storage: new PackageStorage(backends.storage), cache: backends.cache}, {owner: 'test'})
  const app = createApp({...backends, config})
  return {
    app,
    backends,
    config,
    directory: directory.path,
    [Symbol.asyncDispose]: async () => {
      await app.close()
      await backends[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

export const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
