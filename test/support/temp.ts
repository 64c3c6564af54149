import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {readConfig, type Config} from '../../src/lib/config/config.js'

/** A fresh directory that goes with the scope: `await using dir = await tempDir()`. */
export async function tempDir(): Promise<
  AsyncDisposable & {path: string; join: (...parts: string[]) => string}
> {
  const path = await mkdtemp(join(tmpdir(), 'ppc-test-'))
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: () => rm(path, {recursive: true, force: true, maxRetries: 3}),
  }
}

/** Writes `server.ini` with these app settings into `directory` and reads it, without the test run's environment. */
export async function configWith(
  directory: string,
  settings: Record<string, string>,
  extra = '',
): Promise<Config> {
  const file = join(directory, 'server.ini')
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value.replaceAll('\n', '\n    ')}`)
  await writeFile(file, `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n${extra}`)
  return readConfig(file, {environment: {}})
}
