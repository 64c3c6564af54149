import type {Access} from './access/access.js'
import {findAccess} from './access/registry.js'
import type {Cache} from './cache/cache.js'
import {findCache} from './cache/registry.js'
import type {Config} from './config/config.js'
import {findStorage} from './storage/registry.js'
import type {ObjectStore} from './storage/storage.js'

export interface Backends {
  readonly storage: ObjectStore
  readonly cache: Cache
  readonly access: Access
}
export type Part = keyof Backends

const openers = {
  storage: async (config: Config) => (await findStorage(config))(config),
  cache: async (config: Config) => (await findCache(config))(config),
  access: async (config: Config) => (await findAccess(config))(config),
} as const

/**
 * Opens those `parts` of what `config` names, and nothing else: a dead directory server must not stop a migration.
 * Closing runs backwards and skips nobody, even after a failure.
 */
export async function openBackends<P extends Part>(
  config: Config,
  parts: readonly P[],
): Promise<Pick<Backends, P> & AsyncDisposable> {
  const opened: AsyncDisposable[] = []
  const close = async () => {
    const failures: unknown[] = []
    for (const backend of opened.splice(0).reverse()) {
      try {
        await backend[Symbol.asyncDispose]()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'several backends failed to close')
  }
  const result: Partial<Record<Part, AsyncDisposable>> = {}
  try {
    for (const part of parts) {
      const backend = await openers[part](config)
      opened.push(backend)
      result[part] = backend
    }
  } catch (error) {
    await close().catch(() => undefined) // the first failure is the one to report
    throw error
  }
  return Object.assign(result as Pick<Backends, P>, {[Symbol.asyncDispose]: close})
}
