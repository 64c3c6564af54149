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
    const refused = Promise.all(writes.map(write => assert.rejects(write, Unavailable)))
    assert.deepEqual(await database.knex('t').select(), [])
    assert.ok(performance.now() - start < 900, 'a read waited for the writers')
    await refused
    assert.ok(performance.now() - start < 3000, 'the writers waited one after the other')
  } finally {
    holder.close()
  }
  await database.transaction(trx => trx('t').insert({id: 1}))
})
