import type {Cache} from '../cache/cache.js'
import {isUploaded} from '../packaging/dist-file.js'
import type {OriginPolicy} from './origin.js'

/**
 * Names that were published here and whose pages list the upstream's files too, because `pypi.always_show_upstream` says
 * so: whoever owns such a name upstream can put files on them. By code point; empty where nothing is mixed.
 */
export async function listMixedNames(
  cache: Pick<Cache, 'listAllFiles'>,
  origin: Pick<OriginPolicy, 'mixes' | 'isReserved' | 'isSealed'>,
): Promise<string[]> {
  if (!origin.mixes) return []
  const names = new Set<string>()
  for await (const file of cache.listAllFiles()) {
    if (isUploaded(file) && !origin.isReserved(file.name)) names.add(file.name)
  }
  const mixed: string[] = []
  for (const name of names) if (!(await origin.isSealed(name))) mixed.push(name)
  return mixed.sort()
}

/** What the log says of them when a server starts. Undefined where there are none. */
export function mixedNotice(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  const projects = names.length === 1 ? '1 project that is' : `${names.length} projects that are`
  return (
    `pypi.always_show_upstream mixes ${projects} published here with files that others publish upstream under the same name: ` +
    'ppc explain --mixed lists them, pypi.private keeps them apart.'
  )
}
