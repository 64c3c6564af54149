import {existsSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** The folder of package.json, wherever the compiled tests are. */
export const repoRoot = (() => {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory)
  return directory
})()

/** Data that pypicloud wrote. Copy before changing anything. */
export const fixtures = join(repoRoot, 'test', 'fixtures', 'pypicloud')
