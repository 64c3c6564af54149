import {StorageFailed} from '../../errors.js'
import {PackageStorage} from '../../storage/package-storage.js'

/** The source does not give an object: the target has no part in it. */
export class SourceFailed extends StorageFailed {}

/** The source of a migration. Its failures are told apart from the target's. */
export class SourceStorage extends PackageStorage {
  override look(...args: Parameters<PackageStorage['look']>): ReturnType<PackageStorage['look']> {
    return blamed(super.look(...args))
  }

  override stat(...args: Parameters<PackageStorage['stat']>): ReturnType<PackageStorage['stat']> {
    return blamed(super.stat(...args))
  }

  override read(...args: Parameters<PackageStorage['read']>): ReturnType<PackageStorage['read']> {
    return blamed(super.read(...args))
  }

  override fetch(...args: Parameters<PackageStorage['fetch']>): ReturnType<PackageStorage['fetch']> {
    return blamed(super.fetch(...args))
  }
}

async function blamed<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof StorageFailed)) throw error
    throw new SourceFailed(error.message, {cause: error, ...(error.hint !== undefined && {hint: error.hint})})
  }
}
