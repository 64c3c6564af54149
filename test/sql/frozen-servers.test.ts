import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {Unavailable} from '../../src/lib/errors.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {openDatabase} from '../../src/lib/sql/database.js'
import {open} from '../cache/open-sql.js'
import {tool} from '../commands/tool.js'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {signalAll} from '../services/signal.js'
import {startTcpProxy} from '../services/tcp-proxy.js'
import {liveServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'

const file = (version: string): DistFile => ({
  filename: `lib-${version}.zip`,
  name: 'lib',
  version,
  lastModified: new Date('2026-11-20T23:12:23Z'),
  summary: null,
  data: {},
})
const where = {file: 'server.ini', key: 'db.url'}

/** What a write came to: true when it was confirmed. */
const confirmed = (write: Promise<unknown>): Promise<boolean> =>
  write.then(
    () => true,
    (error: unknown) => {
      assert.ok(error instanceof Unavailable, String(error))
      assert.match(error.message, /^server\.ini: db\.url: [^\n]+$/)
      return false
    },
  )

// most of it is waiting
describe('a database server that falls silent', {concurrency: 2}, () => {
  for (const [name, slowly] of [
    ['postgresql', 'SELECT pg_sleep(11)'],
    ['mariadb', 'SELECT SLEEP(11)'],
  ] as const) {
    describe(name, {...needs(name), concurrency: 1}, () => {
      let server: DatabaseServer
      before(async () => {
        server = await startService(name)
      })
      after(() => server[Symbol.asyncDispose]())
      it('frozen, answers nobody in vain: 503 and exit code 75, and what was confirmed stays', async () => {
        await using dir = await tempDir()
        const url = await server.createDatabase()
        await using index = await liveServer(dir.path, {'db.url': url, 'pypi.default_read': 'everyone'})
        await using cache = await open(url)
        await cache.save([file('0')])
        const writes = Array.from({length: 12}, (_, i) => confirmed(cache.save([file(String(i))])))
        await Promise.race(writes)
        await signalAll(server.pid, 'SIGSTOP')
        try {
          const page = fetch(`${index.url}/simple/lib/`)
          const command = tool(dir.path, 'ppc-rebuild-cache server.ini')
          const late = [confirmed(cache.save([file('late')])), confirmed(cache.listFiles('lib'))]
          const {code, stderr} = await command
          assert.equal(code, 75, stderr)
          assert.match(stderr, /^ppc-rebuild-cache: \S+server\.ini: db\.url: can't reach \w+ at [^\n]+\n$/)
          await Promise.all(writes)
          assert.deepEqual(await Promise.all(late), [false, false])
          assert.equal((await page).status, 503)
        } finally {
          await signalAll(server.pid, 'SIGCONT')
        }
        for (const [i, write] of writes.entries()) {
          if (await write) assert.ok(await cache.findFile(`lib-${i}.zip`))
        }
        await cache.save([file('after')])
        assert.equal((await fetch(`${index.url}/simple/lib/`)).status, 200)
      })

      describe('otherwise', {concurrency: 2}, () => {
        it('ends no query that it works on for long', async () => {
          await using database = await openDatabase(server.url, where)
          await database.knex.raw(slowly)
        })

        it('because a firewall has forgotten the connection, is asked by another one', async () => {
          await using proxy = await startTcpProxy(server.port)
          const url = (await server.createDatabase()).replace(`:${server.port}/`, `:${proxy.port}/`)
          await using cache = await open(url)
          await cache.save([file('1')])
          proxy.swallow()
          assert.equal(await confirmed(cache.listFiles('lib')), false)
          await sleep(1100)
          proxy.swallow()
          assert.equal((await cache.listFiles('lib')).length, 1)
        })
      })
    })
  }
})
