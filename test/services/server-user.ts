import {execFile} from 'node:child_process'
import {promisify} from 'node:util'

const run = promisify(execFile)

/**
 * Makes `directory` for a database server that refuses to run as root, and returns how its commands begin: as `user` where the
 * tests run as root, as everybody else unchanged.
 */
export async function forServerUser(user: string, directory: string): Promise<readonly string[]> {
  const isRoot = process.getuid?.() === 0
  await run('install', ['-d', '-m', '700', ...(isRoot ? ['-o', user, '-g', user] : []), directory])
  return isRoot ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : []
}
