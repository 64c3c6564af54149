import {randomBytes} from 'node:crypto'
import {mkdir, open} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import type {AccessWriter} from '../access/access.js'
import {isSystemError} from '../errors.js'
import {hashFor} from './create-user.js'
import type {Config} from '../config/config.js'
import {randomPassword} from './random-password.js'

const admin = 'admin'

/**
 * The config of a first index. Users live in a database, so that `ppc user create` and the server can add some. Only
 * administrators publish and only users read until rules say otherwise; what this index does not have is looked for
 * upstream, because without that pip finds neither the dependencies nor the build tools of what it has.
 */
const configText = () => `[app:main]
use = egg:pypicloud

# Files and databases are next to this file.
pypi.storage = file
storage.dir = %(here)s/packages
pypi.db = sql
db.url = sqlite:///%(here)s/cache.sqlite

pypi.auth = sql
auth.db.url = sqlite:///%(here)s/access.sqlite

# Users may read every package that has no rules of its own; administrators may also publish.
pypi.default_read =
    authenticated
pypi.default_write =

# Names that are not here are redirected to the public index; what was ever published here never is.
# "none" looks nothing up. Reserve the names that you are going to use: pypi.private = acme-*
pypi.fallback = redirect

session.encrypt_key = ${randomBytes(32).toString('base64')}
session.validate_key = ${randomBytes(32).toString('base64')}
session.secure = false

[server:main]
host = 127.0.0.1
port = 6543

# INFO tells of every request.
[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARN
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(levelname)s %(asctime)s [%(name)s] %(message)s
`

/** Makes `server.ini` in `directory` unless there is one. @returns its absolute path. */
export async function ensureConfig(directory: string): Promise<{file: string; created: boolean}> {
  await mkdir(directory, {recursive: true, mode: 0o700})
  const file = resolve(join(directory, 'server.ini'))
  try {
    await using handle = await open(file, 'wx', 0o600) // two at once: one of them makes it
    await handle.writeFile(configText())
    await handle.sync()
    return {file, created: true}
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error
    return {file, created: false}
  }
}

/** The first administrator, unless there is or ever was one. @returns the password, which is nowhere else. */
export async function ensureAdmin(
  config: Config,
  writer: AccessWriter,
): Promise<{username: string; password: string} | undefined> {
  if (!(await writer.needsAdmin())) return undefined
  const password = randomPassword()
  const claimed = await writer.claimFirstAdmin(admin, await hashFor(config, password))
  return claimed ? {username: admin, password} : undefined
}

/** Lines that work when they are pasted: how to publish to the index at `url`, and to install from it. */
export function usageLines(url: string, credentials: {username: string; password: string}): string[] {
  const {username, password} = credentials
  const index = new URL('simple/', url.endsWith('/') ? url : `${url}/`)
  const withLogin = `${index.protocol}//${username}:${password}@${index.host}${index.pathname}`
  return [
    `twine upload --repository-url ${index.href} -u ${username} -p ${password} dist/*`,
    `pip install --index-url ${withLogin} NAME`,
    `uv pip install --index-url ${withLogin} NAME`,
  ]
}
