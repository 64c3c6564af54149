import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {chmod, mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {openSqlCacheAt} from '../../src/lib/cache/sql/sql.js'
import {completeMark} from '../../src/lib/cache/cache.js'
import {Unavailable} from '../../src/lib/errors.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startService} from '../services/index.js'
import {prepareMariadb} from '../services/mariadb.js'
import {preparePostgresql, type DatabaseServer} from '../services/postgresql.js'
import {forServerUser} from '../services/server-user.js'
import {sqlClient} from '../services/sql-client.js'
import {freePort} from '../support/free-port.js'
import {needs, program} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {insist} from '../support/wait.js'
import {open} from './open-sql.js'
import {sentence} from './sentence.js'

const file = (version: string): DistFile => ({
  filename: `lib-${version}.zip`,
  name: 'lib',
  version,
  lastModified: new Date('2026-11-20T23:12:23Z'),
  summary: null,
  data: {},
})
for (const name of ['postgresql', 'mariadb'] as const) {
  const scheme = name === 'mariadb' ? 'mysql' : 'postgresql'
  describe(`${name} that is away`, needs(name), () => {
    let server: DatabaseServer
    before(async () => {
      server = await startService(name)
    })
    after(() => server[Symbol.asyncDispose]())

    it('is told in one sentence: nobody listens, wrong password, no such database', async () => {
      const port = await freePort()
      assert.match(
        await sentence(open(`${scheme}://bob:s3cret@127.0.0.1:${port}/pypi`), Unavailable),
        new RegExp(
          `^server\\.ini: db\\.url: can't reach \\w+ at 127\\.0\\.0\\.1:${port} \\(the connection was refused\\)$`,
        ),
      )
      const missing = server.url.replace(/\/\w+$/, '/missing')
      assert.match(await sentence(open(missing)), /has no database "missing": create it$/)
      const stranger = `${scheme}://bob:s3cret@127.0.0.1:${server.port}/x`
      const refused = await sentence(open(stranger))
      assert.match(refused, /does not let in the user "bob": check name and password$/)
    })

    it('makes everything fail until it is back, and has every write that was confirmed', async () => {
      await using dir = await tempDir()
      const port = await freePort()
      const {url, start} = await database(name, dir.path, port)
      const first = await start()
      await using cache = await open(url)
      await cache.setState(completeMark, 'now')
      await cache.save([file('0')])
      const token = await cache.changeToken()
      const writes = Array.from({length: 200}, (_, i) =>
        cache.save([file(String(i))]).then(
          () => i,
          (error: unknown) => error,
        ),
      )
      await Promise.race(writes)
      await first.kill()
      const results = await Promise.all(writes)
      for (const result of results)
        assert.ok(typeof result === 'number' || result instanceof Unavailable, String(result))
      for (const work of [
        () => cache.listFiles('lib'),
        () => cache.save([file('1')]),
        () => cache.getState(completeMark),
        () => cache.check(),
      ]) {
        assert.match(await sentence(work(), Unavailable), /^server\.ini: db\.url: can't reach/)
      }
      await using second = await start()
      await insist(() => cache.check())
      assert.equal(second.exited, false)
      assert.equal(await cache.getState(completeMark), 'now')
      const rows = new Set((await cache.listFiles('lib')).map(({version}) => version))
      for (const result of results) if (typeof result === 'number') assert.ok(rows.has(String(result)))
      await cache.save([file('after')])
      assert.notEqual(await cache.changeToken(), token)
    })

    it('may cut connections that nobody uses', async () => {
      await using cache = await open(await server.createDatabase())
      await using admin = await sqlClient(server.url)
      await cache.save([file('1')])
      await Promise.all(Array.from({length: 5}, () => cache.listFiles('lib')))
      if (name === 'postgresql') {
        await admin.run(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> current_database()',
        )
      } else {
        const others = await admin.run(
          `SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'ppc'`,
        )
        for (const {id} of others) await admin.run(`KILL ${String(id)}`)
      }
      await new Promise(resolve => setTimeout(resolve, 1100))
      assert.equal((await cache.listFiles('lib')).length, 1)
      await cache.save([file('2')])
    })

    it('may let many wait for few connections', async () => {
      const pool = {size: 3, keep: false, waitSeconds: 30, recycleSeconds: 1}
      await using cache = await openSqlCacheAt(
        await server.createDatabase(),
        {file: 'server.ini', key: 'db.url'},
        {pool},
      )
      const files = Array.from({length: 40}, (_, i) => file(String(i)))
      await Promise.all(files.map(each => cache.save([each])))
      assert.equal(
        (await Promise.all(files.map(each => cache.findFile(each.filename)))).filter(Boolean).length,
        40,
      )
    })
  })
}

interface Started extends AsyncDisposable {
  readonly exited: boolean
  kill(): Promise<void>
}

/** A database that keeps what it has confirmed, on a server that can be started again. */
async function database(
  name: 'postgresql' | 'mariadb',
  directory: string,
  port: number,
): Promise<{url: string; start: () => Promise<Started>}> {
  await chmod(directory, 0o711)
  const data = join(directory, 'data')
  await mkdir(data)
  const asUser = await forServerUser(name === 'mariadb' ? 'mysql' : 'postgres', data)
  await (name === 'mariadb' ? prepareMariadb : preparePostgresql)(data, asUser)
  const url = name === 'mariadb' ? `mysql://root@127.0.0.1:${port}` : `postgresql://ppc@127.0.0.1:${port}`
  const start = async (): Promise<Started> => {
    const [command = '', ...args] = [...asUser, ...commands[name](data, port)]
    const child = spawn(command, args, {stdio: 'ignore', cwd: directory})
    const gone = once(child, 'exit')
    const kill = async () => {
      child.kill('SIGKILL')
      await gone
    }
    await insist(async () => {
      await using client = await sqlClient(name === 'mariadb' ? `${url}/mysql` : `${url}/postgres`)
      await client.run('CREATE DATABASE pypi').catch(() => undefined)
    })
    return {
      get exited() {
        return child.exitCode !== null
      },
      kill,
      [Symbol.asyncDispose]: kill,
    }
  }
  return {url: `${url}/pypi`, start}
}

/** How to serve a data directory. */
const commands: Readonly<Record<'postgresql' | 'mariadb', (data: string, port: number) => string[]>> = {
  postgresql: (data, port) => [
    program('postgresql'),
    ...['-D', data, '-p', String(port), '-h', '127.0.0.1', '-c', 'unix_socket_directories='],
  ],
  mariadb: (data, port) => [
    program('mariadb'),
    '--no-defaults',
    `--datadir=${data}`,
    `--tmpdir=${data}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${data}/s`,
    '--innodb-buffer-pool-size=32M',
  ],
}
