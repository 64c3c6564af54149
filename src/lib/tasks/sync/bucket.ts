import type {Config} from '../../config/config.js'
import {UsageError} from '../../errors.js'

/**
 * The name that events give to where the packages of `config` are: of its bucket or container.
 * @throws {UsageError} where no service tells of changes.
 */
export function bucketOf(config: Config): string {
  const {settings, core} = config
  const name = settings.get('storage.bucket') ?? settings.get('storage.storage_container_name')
  if (name !== undefined) return name.value
  throw new UsageError(`${config.file}: pypi.storage: nobody sends events of "${core.storage}"`, {
    hint: 'ppc-rebuild-cache brings the cache in step with a directory.',
  })
}
