import {accesses} from '../../access/registry.js'
import {caches} from '../../cache/registry.js'
import type {BackendEntry} from '../../registry.js'
import {storages} from '../../storage/registry.js'
import type {Fields} from '../fields.js'
import {
  accessSchemas,
  configAccessFamilies,
  configTokenFamilies,
  passwordFields,
  tokenFields,
} from './access.js'
import {cacheSchemas} from './cache.js'
import {coreFields} from './core.js'
import {isHttpUrl} from '../derived.js'
import {backendSchema, type BackendSchema} from './schema.js'
import {operationFields} from './operation.js'
import {sessionFields} from './session.js'
import {storageSchemas} from './storage.js'

/** One choice of a backend: where it is made, what may be chosen, and the keys that belong to it. */
export interface Part {
  readonly selector: 'storage' | 'db' | 'auth'
  readonly title: string
  readonly entries: readonly BackendEntry<unknown>[]
  readonly schemas: Readonly<Record<string, BackendSchema>>
  /** Which keys a backend of the operator's own may use as it likes. */
  readonly prefixes: readonly string[]
}

export const parts: readonly Part[] = [
  {
    selector: 'storage',
    title: 'Storage',
    entries: storages,
    schemas: storageSchemas,
    prefixes: ['storage.'],
  },
  {selector: 'db', title: 'Cache', entries: caches, schemas: cacheSchemas, prefixes: ['db.']},
  {
    selector: 'auth',
    title: 'Access',
    entries: accesses,
    schemas: accessSchemas,
    prefixes: ['auth.', 'user.', 'group.', 'package.', 'token.'],
  },
]

/** Keys that are read whatever the backends are. */
export const commonTables: readonly {readonly title: string; readonly schema: BackendSchema}[] = [
  {
    title: 'The index',
    schema: backendSchema(coreFields, function* (core) {
      if (core.useJsonScraper && core.fallbackUrl !== undefined && core.fallbackBaseUrl === undefined) {
        yield {
          key: 'pypi.use_json_scraper',
          message: 'true needs pypi.fallback_base_url instead of pypi.fallback_url',
        }
      }
      const key = core.fallbackBaseUrl === undefined ? 'fallback_url' : 'fallback_base_url'
      const url = core.fallbackBaseUrl ?? core.fallbackUrl
      if (core.fallback !== 'none' && url !== undefined && !isHttpUrl(url)) {
        yield {key: `pypi.${key}`, message: 'expected an address that begins with http:// or https://'}
      }
    }),
  },
  {title: 'Sessions', schema: backendSchema(sessionFields)},
  {title: 'Passwords', schema: backendSchema(passwordFields)},
  {title: 'Invitations', schema: backendSchema(tokenFields)},
  {title: 'Operation', schema: backendSchema(operationFields)},
]

/** The short name of a backend, also for pypicloud's class paths; undefined for the operator's own module. */
export const shortName = (part: Part, value: string): string | undefined =>
  part.entries.find(entry => entry.name === value || entry.aliases.includes(value))?.name

/** The short names of all three. */
export const shortNames = ({
  core,
}: {
  readonly core: Readonly<Record<Part['selector'], string>>
}): Readonly<Record<Part['selector'], string | undefined>> =>
  Object.fromEntries(parts.map(part => [part.selector, shortName(part, core[part.selector])])) as Record<
    Part['selector'],
    string | undefined
  >

/** Every table of fields, those of backends that are not chosen included. */
export const allTables: readonly Fields[] = [
  ...commonTables.map(({schema}) => schema.fields),
  ...parts.flatMap(part => Object.values(part.schemas).map(schema => schema.fields)),
  configAccessFamilies,
  configTokenFamilies,
]

/** Every key that is known by its full name. */
export const knownKeys: ReadonlySet<string> = new Set(
  allTables.flatMap(table => Object.values(table).map(field => field.key)).filter(key => !key.endsWith('*')),
)
