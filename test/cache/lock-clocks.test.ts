import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import type {Cache} from '../../src/lib/cache/cache.js'
import {LockHeld, LockLost} from '../../src/lib/errors.js'
import {openSqlCacheAt} from '../../src/lib/cache/sql/sql.js'
import {openDatabase} from '../../src/lib/sql/database.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {insist} from '../support/wait.js'
import {open as openRedis} from './open-redis.js'
import {rawRedis} from './raw-redis.js'

const hour = 3600

/** A cache whose locks expire by the clock of its server. */
interface Place extends AsyncDisposable {
  open(): Promise<Cache>
  /** Sets that clock, as far as the lock can tell: it is so many seconds later than it was. */
  jump(seconds: number): Promise<void>
}

const sqlPlace = async (url: string, close: () => Promise<void>): Promise<Place> => {
  const where = {file: 'server.ini', key: 'db.url'}
  const database = await openDatabase(url, where)
  return {
    open: () => openSqlCacheAt(url, where),
    async jump(seconds) {
      await database.knex('ppc_toolkit_locks').update({
        acquired_at: database.knex.raw('acquired_at - ?', [seconds]),
        expires_at: database.knex.raw('expires_at - ?', [seconds]),
      })
    },
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await close()
    },
  }
}

const redisPlace = async (): Promise<Place> => {
  const server = await startService('redis')
  const {client, ...raw} = rawRedis(server.url)
  return {
    open: () => openRedis(`${server.url}/0`),
    async jump(seconds) {
      const key = 'ppc-toolkit:{pypicloud}:lock:rebuild'
      await client.pexpire(key, (await client.pttl(key)) - seconds * 1000)
    },
    async [Symbol.asyncDispose]() {
      await raw[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const places: readonly (readonly [name: string, program: string | undefined, start: () => Promise<Place>])[] =
  [
    [
      'SQLite',
      undefined,
      async () => {
        const dir = await tempDir()
        return sqlPlace(`sqlite:///${dir.join('cache.db')}`, async () => dir[Symbol.asyncDispose]())
      },
    ],
    ...(['postgresql', 'mariadb'] as const).map(
      kind =>
        [
          kind,
          kind,
          async () => {
            const server = await startService(kind)
            return sqlPlace(server.url, async () => server[Symbol.asyncDispose]())
          },
        ] as const,
    ),
    ['Redis', 'redis', redisPlace],
  ]

for (const [name, program, start] of places) {
  describe(`a lock in ${name} whose server's clock jumps`, needs(...(program ? [program] : [])), () => {
    let place: Place
    let one: Cache
    let two: Cache
    before(async () => {
      place = await start()
      one = await place.open()
      two = await place.open()
    })
    after(async () => {
      await one[Symbol.asyncDispose]()
      await two[Symbol.asyncDispose]()
      await place[Symbol.asyncDispose]()
    })

    for (const [direction, seconds] of [
      ['ahead', hour],
      ['back', -hour],
    ] as const) {
      it(`${direction}, is the next one's when its holder is dead`, async () => {
        const dead = await place.open()
        await dead.acquireLock('rebuild', {owner: 'dead', expireAfterSeconds: 1})
        await dead[Symbol.asyncDispose]()
        await place.jump(seconds)
        await using lock = await insist(
          () => one.acquireLock('rebuild', {owner: 'next'}),
          error => error instanceof LockHeld,
        )
        assert.equal(lock.signal.aborted, false)
      })
      it(`${direction}, is never two's: what the first does after that is refused`, async () => {
        const first = await one.acquireLock('rebuild', {owner: 'first'})
        await place.jump(seconds)
        await using second = await two.acquireLock('rebuild', {owner: 'second'})
        await assert.rejects(one.setState('by', 'first', {lock: first}), LockLost)
        assert.equal(first.signal.aborted, true)
        await first[Symbol.asyncDispose]()
        await two.setState('by', 'second', {lock: second})
        assert.equal(await one.getState('by'), 'second')
      })
    }
    it('back, stays with a holder that writes', async () => {
      await using lock = await one.acquireLock('rebuild', {owner: 'first'})
      await place.jump(-hour)
      await one.setState('by', 'first', {lock})
      await assert.rejects(two.acquireLock('rebuild', {owner: 'second'}), LockHeld)
    })
  })
}
