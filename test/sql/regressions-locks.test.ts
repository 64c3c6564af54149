import assert from 'node:assert/strict'
import {it} from 'node:test'
import Sqlite from 'better-sqlite3'
import {Unavailable} from '../../src/lib/errors.js'
import {openDatabase} from '../../src/lib/sql/database.js'
import {tempDir} from '../support/temp.js'

it('pages stood still while uploads waited for a lock that another process held', async () => {
  await using dir = await tempDir()
  const path = dir.join('cache.db')
  const where = {file: 'server.ini', key: 'db.url'}
  await using database = await openDatabase(`sqlite:///${path}`, where, {busySeconds: 1})
  await database.knex.raw('CREATE TABLE t (id INTEGER PRIMARY KEY)')
  const holder = new Sqlite(path)
  try {
    holder.exec('BEGIN IMMEDIATE')
    const start = performance.now()
    const writes = Array.from({length: 5}, () => database.transaction(trx => trx('t').insert({id: 1})))
    /** Milliseconds after which each of them was refused. */
    const waited: number[] = []
    const refused = Promise.all(
      writes.map(async write => {
        await assert.rejects(write, Unavailable)
        waited.push(performance.now() - start)
      }),
    )
    assert.deepEqual(await database.knex('t').select(), [])
    assert.equal(waited.length, 0, 'a read waited for the writers')
    await refused
    const [first = 0, last = 0] = [waited[0], waited.at(-1)]
    assert.ok(last < 4 * first, `the writers waited one after the other: ${waited.join()}`)
  } finally {
    holder.close()
  }
  await database.transaction(trx => trx('t').insert({id: 1}))
})
