import {randomUUID} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openBackends} from '../../src/lib/backends.js'
import {PackageIndex, type Upload} from '../../src/lib/index/package-index.js'
import {Digester} from '../../src/lib/packaging/hashes.js'
import {configWith, tempDir} from '../support/temp.js'
import type {BuiltFile} from '../support/wheels.js'

/** An index on a directory and SQLite. A second one on the same `directory` is another server on the same data. */
export async function openIndex(directory: string, settings: Record<string, string> = {}) {
  const config = await configWith(directory, {
    'storage.dir': join(directory, 'packages'),
    'db.url': `sqlite:///${join(directory, 'cache.db')}`,
    'pypi.fallback': 'none',
    'session.validate_key': 'test-validate-key',
    ...settings,
  })
  const backends = await openBackends(config, ['storage', 'cache'])
  return Object.assign(backends, {config, index: new PackageIndex({...backends, config})})
}

/** `openIndex` in a fresh directory; both go with the scope. */
export async function freshIndex(settings: Record<string, string> = {}) {
  const dir = await tempDir()
  const opened = await openIndex(dir.path, settings)
  return {
    ...opened,
    directory: dir.path,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

/** What the server makes of a form: the bytes spooled beside the store, and hashed. */
export async function uploadOf(
  directory: string,
  {filename, bytes}: BuiltFile,
  fields: Partial<Omit<Upload, 'body' | 'digests'>> = {},
): Promise<Upload> {
  const path = join(directory, `spool-${randomUUID()}`)
  await writeFile(path, bytes)
  return {
    filename,
    uploader: 'ada',
    digests: new Digester().update(bytes).digest(),
    body: {size: bytes.length, open: () => createReadStream(path), disposablePath: path},
    ...fields,
  }
}
