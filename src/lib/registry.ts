import {createRequire} from 'node:module'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import type {Config} from './config/config.js'
import {UnknownBackend} from './errors.js'

/** Connects and checks. The result must be closed. */
export type Opener<T> = (config: Config) => Promise<T>
/** A backend of one kind: what its config value may be, and how it is loaded. An SDK loads only when it is opened. */
export interface BackendEntry<T> {
  /** The config value. */
  readonly name: string
  /** pypicloud's dotted class paths. */
  readonly aliases: readonly string[]
  /** Absent: known, but this version can't open it yet. */
  readonly load?: () => Promise<Opener<T>>
}

/**
 * Finds a short name, a dotted path of pypicloud, or a module of the user's own (a package name or a relative path,
 * resolved from the config's directory) that exports `open(config)`.
 * @throws {UnknownBackend} listing the known names.
 */
export async function findBackend<T>(
  key: string,
  entries: readonly BackendEntry<T>[],
  name: string,
  config: Config,
): Promise<Opener<T>> {
  const where = `${config.file}: ${key}`
  const known = entries.filter(entry => entry.load).map(entry => entry.name)
  const entry = entries.find(candidate => candidate.name === name || candidate.aliases.includes(name))
  if (entry?.load) return entry.load()
  if (entry) {
    throw new UnknownBackend(`${where}: "${name}" is not in this version yet, which has ${known.join(', ')}`)
  }
  const unknown = (cause?: unknown) =>
    new UnknownBackend(
      `${where}: found "${name}", expected one of ${known.join(', ')} or a module of your own that exports open(config)`,
      {cause},
    )
  if (!/^(?:\.{0,2}\/|@?[a-z0-9])/i.test(name) || name.startsWith('pypicloud.')) throw unknown()
  let url: string
  try {
    url = pathToFileURL(createRequire(join(config.directory, 'noop.js')).resolve(name)).href
  } catch (error) {
    throw unknown(error)
  }
  const module = (await import(url)) as {open?: unknown}
  if (typeof module.open !== 'function') {
    throw new UnknownBackend(`${where}: the module "${name}" has no function open(config)`)
  }
  return module.open as Opener<T>
}
