import assert from 'node:assert/strict'
import {once} from 'node:events'
import {
  createServer,
  request as ask,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import type {IncomingMessage} from 'node:http'
import type {AddressInfo} from 'node:net'
import {after, before, describe, it} from 'node:test'
import {pino} from 'pino'
import {appOf, createContext} from '../../src/lib/server/app.js'
import type {Context} from '../../src/lib/server/context.js'
import {Metrics} from '../../src/lib/server/operation/metrics.js'
import {readyPages} from '../../src/lib/server/ready-pages.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {buildWheel} from '../support/wheels.js'
import {basic, install} from './installation.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = everyone
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
auth.admins = admin
user.admin = ${testPasswordHash}
user.reader = ${testPasswordHash}
package.secret.user.reader = r
session.validate_key = one
`

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The pages of one context by the route alone, and as a server answers them: at once where it can. */
async function bothWays(settings = '') {
  const installation = await install(ini + settings)
  const {backends, config} = installation
  const lines: Record<string, unknown>[] = []
  const log = pino({}, {write: line => void lines.push(JSON.parse(line) as Record<string, unknown>)})
  const contextWith = (metrics: Metrics): Context =>
    createContext({...backends, config, logger: log, metrics})
  const [routeMetrics, bothMetrics] = [new Metrics(), new Metrics()]
  const byRoute = appOf(contextWith(routeMetrics))
  const context = contextWith(bothMetrics)
  const app = appOf(context)
  const answerReady = readyPages(context)
  await Promise.all([byRoute.ready(), app.ready()])
  const servers: Server[] = []
  let ready = 0
  const open = async (answer: (request: IncomingMessage, response: ServerResponse) => void) => {
    const server = createServer(answer).listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.push(server)
    return (server.address() as AddressInfo).port
  }
  const ports = [
    await open((request, response) => {
      byRoute.routing(request, response)
    }),
    await open((request, response) => {
      if (answerReady(request, response)) ready += 1
      else app.routing(request, response)
    }),
  ] as const
  return {
    app,
    /** Answers that came at once. */
    ready: () => ready,
    lines,
    metrics: [routeMetrics, bothMetrics] as const,
    get: async (
      path: string,
      headers: Record<string, string> = {},
      method = 'GET',
    ): Promise<[Answer, Answer]> => [
      await fetchFrom(ports[0], path, headers, method),
      await fetchFrom(ports[1], path, headers, method),
    ],
    publish: async (name: string, version: string) => {
      const {filename, bytes} = await buildWheel({name, version})
      const form = new FormData()
      form.append(':action', 'file_upload')
      form.append('content', new Blob([new Uint8Array(bytes)]), filename)
      const answer = await fetch(`http://127.0.0.1:${ports[1]}/simple/`, {
        method: 'POST',
        body: form,
        headers: {authorization: basic('admin', testPassword)},
      })
      assert.equal(answer.status, 200, await answer.text())
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of servers) each.close()
      await Promise.all([byRoute.close(), app.close()])
      await installation[Symbol.asyncDispose]()
    },
  }
}

async function fetchFrom(
  port: number,
  path: string,
  headers: Record<string, string>,
  method: string,
): Promise<Answer> {
  const asking = ask({
    host: '127.0.0.1',
    port,
    path,
    headers: {'x-request-id': 'mine', host: 'index', ...headers},
    method,
  })
  const [answer] = (await once(asking.end(), 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of answer.setEncoding('latin1')) body += String(chunk)
  return {status: answer.statusCode, headers: {...answer.headers, date: ''}, body}
}

describe('pages that are ready', () => {
  let server: Awaited<ReturnType<typeof bothWays>>
  before(async () => {
    server = await bothWays()
    for (let minor = 0; minor < 8; minor += 1) await server.publish('open-lib', `1.${minor}`) // worth compressing
    await server.publish('secret', '1.0')
  })
  after(() => server[Symbol.asyncDispose]())

  const logins = {nobody: undefined, reader: testPassword, admin: testPassword, stranger: 'wrong'}
  it('are what the route answers, whoever asks and however', {timeout: 60_000}, async () => {
    const paths = [
      '/simple/open-lib/',
      '/pypi/open-lib/',
      '/simple/secret/',
      '/simple/none/',
      '/simple/Open_Lib/',
    ]
    const unusual = [
      '/simple/open-lib',
      '/simple/open-lib/?format=json',
      '/simple//open-lib/',
      '/simple/open-lib/json',
      '/open-lib/',
    ]
    const wishes: Record<string, string>[] = [
      {},
      {accept: 'application/vnd.pypi.simple.v1+json', 'accept-encoding': 'gzip'},
      {accept: 'nonsense', 'accept-encoding': 'gzip;q=0'},
      {'x-forwarded-host': 'elsewhere', 'x-forwarded-for': '10.1.2.3'},
      {cookie: 'session=none'},
    ]
    /** Both at one moment: a wait for wrong passwords may end between the two. */
    const getBoth = async (path: string, headers: Record<string, string>) => {
      for (;;) {
        const both = await server.get(path, headers)
        if (both[0].status !== 429 && both[1].status !== 429) return both
        for (const {headers: told} of both) delete told['retry-after']
        if (both[0].status === both[1].status) return both
      }
    }
    for (const [user, password] of Object.entries(logins)) {
      const login: Record<string, string> = password ? {authorization: basic(user, password)} : {}
      for (const path of [...paths, ...unusual]) {
        for (const wish of wishes) {
          const [route, both] = await getBoth(path, {...login, ...wish})
          assert.deepEqual(both, route, `${user} ${path} ${JSON.stringify(wish)}`)
          const {etag} = route.headers
          if (etag === undefined) continue
          const [again, bothAgain] = await server.get(path, {...login, ...wish, 'if-none-match': etag})
          assert.equal(again.status, 304)
          assert.deepEqual(bothAgain, again)
        }
      }
    }
    assert.ok(server.ready() > 50, `only ${server.ready()} came at once`)
    for (const method of ['HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      const [route, both] = await server.get('/simple/open-lib/', {}, method)
      assert.deepEqual(both, route, method)
    }
  })

  it('are logged and counted as others are', async () => {
    // verified, remembered, recalled
    for (let count = 0; count < 2; count += 1)
      await server.get('/simple/open-lib/', {authorization: basic('reader', testPassword)})
    const before = server.ready()
    server.lines.length = 0
    await server.get('/simple/open-lib/', {
      authorization: basic('reader', testPassword),
      'x-forwarded-for': '10.1.2.3',
    })
    assert.equal(server.ready(), before + 1)
    const [route, both] = server.lines.map((line): Record<string, unknown> => ({
      ...line,
      time: 0,
      ms: typeof line['ms'],
    }))
    assert.deepEqual(both, route)
    assert.deepEqual([both?.['path'], both?.['user']], ['/simple/open-lib/', 'reader'])
    const counted = await Promise.all(
      server.metrics.map(async metrics =>
        (await metrics.counts())
          .find(({name}) => name === 'ppc_http_requests_total')
          ?.values.filter(({labels}) => labels['route'] === '/simple/:project/'),
      ),
    )
    assert.deepEqual(counted[1], counted[0])
  })

  it('change with what is published, and with whom they are for', async () => {
    const get = async (path: string) => (await server.get(path))[1]
    await get('/simple/open-lib/')
    await server.publish('open-lib', '2.0')
    assert.match((await get('/simple/open-lib/')).body, /open_lib-2\.0/)
    assert.match((await get('/simple/open-lib/')).body, /open_lib-2\.0/)
    assert.equal((await get('/simple/secret/')).status, 401)
  })

  it('count where requests are limited', async () => {
    await using limited = await bothWays('limits.user_per_minute = 3\n')
    await limited.publish('open-lib', '1.0')
    const statuses: (number | undefined)[] = []
    for (let count = 0; count < 5; count += 1) {
      const [, both] = await limited.get('/simple/open-lib/', {authorization: basic('reader', testPassword)})
      statuses.push(both.status)
    }
    assert.deepEqual(statuses, [200, 200, 200, 429, 429])
    assert.equal(limited.ready(), 0)
  })
})
