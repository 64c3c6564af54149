import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {freePort} from '../support/free-port.js'
import {startServer, testPassword, type LiveServer} from '../support/live-server.js'
import {program} from '../support/needs.js'
import {untilServed} from '../support/until-served.js'

export interface ServerBehindNginx extends AsyncDisposable {
  /** With the prefix, without a trailing slash. */
  readonly url: string
  urlFor(user: string, password?: string): string
  readonly config: string
  readonly server: LiveServer
  /** One line a request: `GET /py/simple/ 200`. */
  requests(): Promise<string[]>
}

const prefix = '/py'

/** `ppc-serve` with users in SQLite, and nginx in front of it that shows it below a path. */
export async function serverBehindNginx(directory: string, settings: string): Promise<ServerBehindNginx> {
  const config = join(directory, 'server.ini')
  await writeFile(
    config,
    `[app:main]
use = egg:pypicloud
filter-with = proxy-prefix
pypi.fallback = none
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = sql
auth.db.url = sqlite:///%(here)s/access.db
auth.rounds = 1000
session.validate_key = test-validate-key
${settings}
[filter:proxy-prefix]
use = egg:PasteDeploy#prefix
prefix = ${prefix}
`,
  )
  const [inner, outer] = [await freePort(), await freePort()]
  const server = await startServer(config, inner)
  const nginx = await startNginx(join(directory, 'nginx'), outer, inner)
  const url = `http://127.0.0.1:${outer}${prefix}`
  return {
    url,
    urlFor: (user, password = testPassword) =>
      url.replace('//', `//${encodeURIComponent(user)}:${encodeURIComponent(password)}@`),
    config,
    server,
    requests: async () => (await readFile(join(directory, 'nginx/access.log'), 'utf8')).trim().split('\n'),
    [Symbol.asyncDispose]: async () => {
      await nginx[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function startNginx(directory: string, port: number, to: number): Promise<AsyncDisposable> {
  await mkdir(directory)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(kind => `${kind}_temp_path ${directory}/${kind};`)
    .join('\n')
  await writeFile(
    join(directory, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr;
events {}
http {
  log_format short '$request_method $uri $status';
  access_log ${directory}/access.log short;
  ${temporary}
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port};
    location ${prefix}/ {
      proxy_pass http://127.0.0.1:${to};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`,
  )
  const child = spawn(
    program('nginx'),
    ['-e', 'stderr', '-p', directory, '-c', join(directory, 'nginx.conf')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const exited = once(child, 'exit')
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  await untilServed(child, `http://127.0.0.1:${port}/`, {log: () => log, isUp: () => true})
  return {
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
    },
  }
}
