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
 * When both fail, the storage's failure is told. Closing runs backwards and skips nobody, even after a failure.
 */
export async function openBackends<P extends Part>(
  config: Config,
  parts: readonly P[],
): Promise<Pick<Backends, P> & AsyncDisposable> {
  const opened = new Map<Part, AsyncDisposable>()
  const close = async () => {
    const failures: unknown[] = []
    for (const part of [...parts].reverse()) {
      const backend = opened.get(part)
      opened.delete(part)
      try {
        await backend?.[Symbol.asyncDispose]()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'several backends failed to close')
  }
  const open = async (part: Part) => void opened.set(part, await openers[part](config))
  // What is asked over a network loads nothing meanwhile. Cache and access may be one database: they take turns.
  const databases = async () => {
    for (const part of parts) if (part !== 'storage') await open(part)
  }
  const outcomes = await Promise.allSettled([parts.includes('storage' as P) && open('storage'), databases()])
  const failure = outcomes.find(outcome => outcome.status === 'rejected')
  if (failure !== undefined) {
    await close().catch(() => undefined) // the first failure is the one to report
    throw failure.reason
  }
  return Object.assign(Object.fromEntries(opened) as Pick<Backends, P>, {[Symbol.asyncDispose]: close})
}
