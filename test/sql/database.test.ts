import assert from 'node:assert/strict'
import {fork} from 'node:child_process'
import {once} from 'node:events'
import {chmod, mkdir, readdir, truncate, writeFile} from 'node:fs/promises'
import {it, describe} from 'node:test'
import {setTimeout} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'
import Sqlite from 'better-sqlite3'
import {Unavailable} from '../../src/lib/errors.js'
import {openDatabase, type Database} from '../../src/lib/sql/database.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'

const where = {file: 'server.ini', key: 'db.url'}
const open = (path: string, busySeconds = 0.3): Promise<Database> =>
  openDatabase(`sqlite:///${path}`, where, {busySeconds})
const create = 'CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)'
/** A database in rollback mode, as pypicloud makes them. */
const takenOver = (path: string) => {
  const handle = new Sqlite(path)
  handle.exec(create)
  return handle
}
const mode = (path: string) => {
  const handle = new Sqlite(path)
  const found = handle.pragma('journal_mode', {simple: true})
  handle.close()
  return found as string
}

const inChild = process.argv[2] === 'read-only'
/** The child only answers, below. */
const describeInParent = inChild ? () => undefined : describe
describeInParent('an SQLite database', () => {
  it('gets a write-ahead log when it is new, and is one whole file when it is closed', async () => {
    await using dir = await tempDir()
    {
      await using database = await open(dir.join('new.db'))
      await database.knex.raw(create)
      assert.ok((await readdir(dir.path)).includes('new.db-wal'))
    }
    assert.deepEqual(await readdir(dir.path), ['new.db'])
    assert.equal(mode(dir.join('new.db')), 'wal')
  })
  it('keeps the journal mode that it was taken over with', async () => {
    await using dir = await tempDir()
    takenOver(dir.join('old.db')).close()
    {
      await using database = await open(dir.join('old.db'))
      await database.transaction(transaction => transaction('t').insert({text: 'a'}))
    }
    assert.equal(mode(dir.join('old.db')), 'delete')
  })

  for (const kind of ['new', 'taken over']) {
    it(`notices commits of its own, of a second opener and of strangers, and nothing else (${kind})`, async () => {
      await using dir = await tempDir()
      if (kind === 'taken over') takenOver(dir.join('x.db')).close()
      await using one = await open(dir.join('x.db'))
      await using two = await open(dir.join('x.db'))
      const stranger = new Sqlite(dir.join('x.db'))
      const tokens = () => [one.changeToken(), two.changeToken()] as const
      let before = tokens()
      assert.deepEqual(tokens(), before)
      const changes = async (change: () => unknown) => {
        await change()
        await setTimeout(1) // a stranger's shows in the next turn
        const [a, b] = tokens()
        assert.notEqual(a, before[0])
        assert.notEqual(b, before[1])
        before = [a, b]
      }
      if (kind === 'new') await changes(() => one.knex.raw(create))
      await changes(() => one.knex('t').insert({text: 'one'}))
      await changes(() => two.transaction(transaction => transaction('t').insert({text: 'two'})))
      await changes(() => stranger.exec("INSERT INTO t (text) VALUES ('x')"))
      await assert.rejects(
        one.transaction(async transaction => {
          await transaction('t').insert({text: 'three'})
          throw new Error('rolled back')
        }),
        /rolled back/,
      )
      stranger.prepare('SELECT * FROM t').all()
      assert.deepEqual(tokens(), before)
      stranger.close()
    })
    it(`lets two openers in one process write in turns (${kind})`, async () => {
      await using dir = await tempDir()
      if (kind === 'taken over') takenOver(dir.join('x.db')).close()
      await using one = await open(dir.join('x.db'), 10)
      await using two = await open(dir.join('x.db'), 10)
      if (kind === 'new') await one.knex.raw(create)
      await Promise.all(
        Array.from({length: 100}, (_, i) =>
          [one, two][i % 2]!.transaction(async transaction => {
            const rows: {id: number | null}[] = await transaction('t').max({id: 'id'})
            await new Promise(resolve => setImmediate(resolve))
            await transaction('t').insert({id: (rows[0]?.id ?? 0) + 1})
          }),
        ),
      )
      assert.deepEqual(await two.knex('t').count({n: '*'}), [{n: 100}])
    })
    it(`gives all rows of one moment while others write (${kind})`, async () => {
      await using dir = await tempDir()
      if (kind === 'taken over') takenOver(dir.join('x.db')).close()
      await using database = await open(dir.join('x.db'))
      if (kind === 'new') await database.knex.raw(create)
      await database.transaction(transaction =>
        database.insertMany(
          transaction,
          {table: 't', columns: ['text']},
          Array.from({length: 5000}, (_, i) => [`row ${i}`]),
        ),
      )
      let count = 0
      for await (const row of database.iterate<{id: number}>(
        database.knex('t').where('text', 'like', 'row%').orderBy('id'),
      )) {
        if (count % 1000 === 0) await database.knex('t').insert({text: 'row of another'})
        assert.equal(row.id, (count += 1))
      }
      assert.equal(count, 5000)
    })
  }

  it('says so when it is locked, without stopping the process meanwhile', async () => {
    await using dir = await tempDir()
    const holder = takenOver(dir.join('x.db'))
    await using database = await open(dir.join('x.db'))
    const token = database.changeToken()
    holder.exec('BEGIN EXCLUSIVE')
    let turns = 0
    const timer = setInterval(() => (turns += 1), 10)
    for (const work of [
      () => database.knex('t').select(),
      () => database.transaction(() => Promise.reject(new Error('never runs'))),
      () => open(dir.join('x.db')),
    ]) {
      await assert.rejects(work(), (error: unknown) => {
        assert.ok(error instanceof Unavailable)
        return /^server\.ini: db\.url: the database .*x\.db is locked/.test(error.message)
      })
    }
    clearInterval(timer)
    assert.ok(turns > 20)
    assert.equal(database.changeToken(), token)
    holder.exec('ROLLBACK')
    holder.close()
    assert.deepEqual(await database.knex('t').select(), [])
  })

  it('says in one sentence why it cannot be opened', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('text.db'), 'x'.repeat(5000))
    await mkdir(dir.join('directory.db'))
    for (const [name, reason] of [
      ['text.db', /is not an SQLite database$/],
      ['directory.db', /is not a file, so it can't be a database$/],
      ['missing/x.db', /the directory .*missing of the database does not exist: create it$/],
    ] as const) {
      await assert.rejects(open(dir.join(name)), (error: Error) => {
        assert.match(error.message, /^server\.ini: db\.url: /)
        return reason.test(error.message)
      })
    }
    assert.deepEqual((await readdir(dir.path)).sort(), ['directory.db', 'text.db'])
  })
  it('says that it is damaged when it is', async () => {
    await using dir = await tempDir()
    const handle = takenOver(dir.join('x.db'))
    for (let i = 0; i < 2000; i += 1) handle.exec(`INSERT INTO t (text) VALUES ('${'x'.repeat(100)}')`)
    handle.close()
    await truncate(dir.join('x.db'), 20_000)
    const read = async () => {
      await using database = await open(dir.join('x.db'))
      await database.knex('t').select()
    }
    await assert.rejects(read(), /^DatabaseFailed: server\.ini: db\.url: the database .* is damaged/)
  })
  it('can be read, not written, where it may not be written', needs('root'), async () => {
    await using dir = await tempDir()
    takenOver(dir.join('x.db')).close()
    await chmod(dir.path, 0o555)
    await chmod(dir.join('x.db'), 0o444)
    const child = fork(fileURLToPath(import.meta.url), ['read-only', dir.join('x.db')], {
      uid: 65534,
      execArgv: [],
    })
    const [answer] = (await once(child, 'message')) as [string]
    assert.match(answer, /^0 rows, StorageFailed: server\.ini: db\.url: the database .* may not be written$/)
  })
  it('in memory is private to its opener', async () => {
    await using one = await openDatabase('sqlite://', where)
    await using two = await openDatabase('sqlite:///:memory:', where)
    assert.equal(one.shared, false)
    const token = one.changeToken()
    await one.knex.raw(create)
    await one.knex('t').insert({text: 'a'})
    assert.notEqual(one.changeToken(), token)
    await assert.rejects(two.knex('t').select(), /no such table/)
  })
  it('shows no values in errors', async () => {
    await using one = await openDatabase('sqlite://', where)
    await assert.rejects(
      one.knex('t').insert({text: 'geheim'}),
      (error: Error) => !error.message.includes('geheim'),
    )
  })
})

if (inChild) {
  await using database = await open(process.argv[3]!)
  const rows = await database.knex('t').select()
  const failure = await database.knex('t').insert({text: 'a'}).catch(String)
  process.send?.(`${rows.length} rows, ${String(failure)}`)
}
