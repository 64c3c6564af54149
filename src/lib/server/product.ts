import {existsSync, readFileSync} from 'node:fs'

/** Name and version of this package, as its package.json has them. */
export function product(): {readonly name: string; readonly version: string} {
  let file = new URL('package.json', import.meta.url)
  while (!existsSync(file) && file.pathname !== '/package.json') file = new URL('../package.json', file)
  return JSON.parse(readFileSync(file, 'utf8')) as {name: string; version: string}
}
