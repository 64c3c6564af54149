import {readFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'
import type {Config} from '../../config/config.js'
import {shortNames} from '../../config/schema/index.js'
import {NotFound, UsageError} from '../../errors.js'
import {cacheKindOf, type CacheKind} from '../../lambda/cache-kind.js'
import {zipOf} from './zip.js'

/** As in pypicloud's bundle, so that a function that was set up for it keeps the name of its handler. */
export const handlerName = 'lambda_script.handle_s3_event'

/** What the zip says of itself, in `manifest.json`. */
export interface BundleManifest {
  readonly name: string
  readonly version: string
  readonly cache: CacheKind
  readonly handler: string
  /** Of AWS, the newest first. */
  readonly runtimes: readonly string[]
  /** Of the module, hex. */
  readonly sha256: string
  /** What is in it: name and version. */
  readonly libraries: Readonly<Record<string, string>>
}

export interface Bundle {
  readonly zip: Buffer
  readonly manifest: BundleManifest
}

/**
 * The function that feeds the cache of `config`. The same bytes from every installation of this version: nothing of the
 * config is in it but which cache it is.
 * @throws {UsageError} where that can't be: another storage than S3, or a cache that no Lambda can reach.
 */
export async function buildBundle(config: Config): Promise<Bundle> {
  const {storage} = shortNames(config)
  if (storage !== 's3' && storage !== 'cloudfront') {
    throw new UsageError(
      `${config.file}: pypi.storage: "${config.core.storage}" has no events that come to AWS Lambda, expected s3 or cloudfront`,
      {
        hint: 'ppc sync-serve takes the notifications of Google Cloud Storage, Azure and services that speak like S3.',
      },
    )
  }
  const kind = cacheKindOf(config)
  const [code, manifest] = await Promise.all([readBuilt(`${kind}.mjs`), readBuilt(`${kind}.json`)])
  return {
    zip: zipOf([
      {name: 'lambda_script.mjs', bytes: code},
      {name: 'manifest.json', bytes: manifest},
    ]),
    manifest: JSON.parse(manifest.toString('utf8')) as BundleManifest,
  }
}

/** What `npm run build` has left in dist/lambda. */
async function readBuilt(name: string): Promise<Buffer> {
  const path = fileURLToPath(new URL(`../../../../lambda/${name}`, import.meta.url))
  try {
    return await readFile(path)
  } catch (error) {
    throw new NotFound(`${path} is missing: this installation was not built whole`, {
      cause: error,
      hint: 'Install the package again, or run "npm run build" in a clone.',
    })
  }
}
