/**
 * For the authors of own backends and of scripts: the contracts, their errors, and what the commands do as functions.
 * A backend is a module that exports `open(config)`; `ppc-toolkit/contracts` has the suites it must pass.
 */
export * from './errors.js'
export {openBackends, type Backends, type Part} from './backends.js'
export type {Opener} from './registry.js'

export {readConfig, ConfigError, type Config, type ConfigProblem, type Setting} from './config/config.js'
export * as fields from './config/fields.js'

export type {DistFile, DistFileData, ProjectSummary} from './packaging/dist-file.js'
export {normalizeName} from './packaging/names.js'
export {compareVersions} from './packaging/versions.js'
export {packageType, parseFilename} from './packaging/filenames.js'

export * from './storage/storage.js'
export {storages} from './storage/registry.js'
export {PackageStorage} from './storage/package-storage.js'
export * from './cache/cache.js'
export {caches} from './cache/registry.js'
export * from './access/access.js'
export * from './access/api-tokens/api-token.js'
export {accesses} from './access/registry.js'

export {exportAccess} from './tasks/export-access.js'
export {importAccess} from './tasks/import-access.js'
export {migrateFiles} from './tasks/migrate/migrate.js'
export {rebuildCache} from './tasks/rebuild/rebuild.js'
