import assert from 'node:assert/strict'
import {copyFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import Sqlite from 'better-sqlite3'
import {completeMark} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {describeCache} from '../contracts/cache.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {newLib} from './new-lib.js'
import {open, openFile} from './open-sql.js'

type TempDir = Awaited<ReturnType<typeof tempDir>>

describe('SQL cache', () => {
  let dir: TempDir
  before(async () => {
    dir = await tempDir()
    await copyFile(join(fixtures, 'sql', 'cache.db'), dir.join('taken-over.db'))
  })
  after(() => dir[Symbol.asyncDispose]())
  for (const name of ['new', 'taken-over']) {
    const url = () => `sqlite:///${dir.join(`${name}.db`)}`
    describeCache(
      `sql (${name} file)`,
      () => open(url()),
      {},
      () => ({
        module: new URL('./open-sql.js', import.meta.url).href,
        argument: url(),
      }),
    )
  }
})

const file = newLib({uploader: 'bob', requires_python: '>=3.6', hash_sha256: 'ab', note: 'é🎉\u007f'})
const rows = (path: string, sql = 'SELECT * FROM packages ORDER BY filename') => {
  using database = closing(new Sqlite(path))
  return database.handle.prepare(sql).all() as Record<string, unknown>[]
}
const run = (path: string, sql: string) => {
  using database = closing(new Sqlite(path))
  database.handle.exec(sql)
}
const closing = (handle: Sqlite.Database) => ({handle, [Symbol.dispose]: () => handle.close()})

describe('a cache that pypicloud wrote', () => {
  for (const [version, fixture] of [
    ['1.3.12', join('sql', 'cache.db')],
    ['1.0.11', join('v1.0.11', 'cache.db')],
  ] as const) {
    it(`of ${version} is read whole and keeps its tables, texts and microseconds`, async () => {
      await using dir = await tempDir()
      const path = dir.join('cache.db')
      await copyFile(join(fixtures, fixture), path)
      const before = rows(path)
      const schema = rows(path, "SELECT sql FROM sqlite_master WHERE tbl_name = 'packages'")
      {
        await using cache = await openFile(path)
        assert.equal(await cache.countFiles(), before.length)
        for (const row of before) {
          const found = (await cache.findFile(String(row['filename'])))!
          assert.equal(found.version, row['version'])
          assert.equal(found.summary, row['summary'])
          assert.deepEqual(found.data, JSON.parse(String(row['data'])))
          assert.equal(
            found.lastModified.toISOString().slice(11, 23),
            String(row['last_modified']).slice(11, 23),
          )
        }
        const all: DistFile[] = []
        for await (const each of cache.listAllFiles()) all.push(each)
        await cache.save(all)
      }
      assert.deepEqual(rows(path), before)
      assert.deepEqual(rows(path, "SELECT sql FROM sqlite_master WHERE tbl_name = 'packages'"), schema)
      assert.deepEqual(rows(path, 'PRAGMA journal_mode'), [{journal_mode: 'delete'}])
    })
  }

  it('gets rows as pypicloud writes them', async () => {
    await using dir = await tempDir()
    {
      await using cache = await openFile(dir.join('cache.db'))
      await cache.save([file])
    }
    assert.deepEqual(rows(dir.join('cache.db')), [
      {
        filename: 'new_lib-1.0-py3-none-any.whl',
        name: 'new-lib',
        version: '1.0',
        last_modified: '2026-11-20 23:12:23.466000',
        summary: 'Zähler 🎉',
        data: '{"uploader": "bob", "requires_python": ">=3.6", "hash_sha256": "ab", "note": "\\u00e9\\ud83c\\udf89\\u007f"}',
      },
    ])
  })

  it('has the columns and indexes of pypicloud when we create it', async () => {
    await using dir = await tempDir()
    await (await openFile(dir.join('cache.db')))[Symbol.asyncDispose]()
    const schema = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'packages' ORDER BY name"
    assert.deepEqual(rows(dir.join('cache.db'), schema), rows(join(fixtures, 'sql', 'cache.db'), schema))
  })

  it('may hold rows that nobody should have written', async () => {
    await using dir = await tempDir()
    const path = dir.join('cache.db')
    await using cache = await openFile(path)
    run(
      path,
      `INSERT INTO packages VALUES ('a-1.zip', 'a', '1', '2026-11-20 23:09:52', '', 'not json'),
        ('b-1.zip', 'b', 'no version!', 'yesterday', NULL, '[1]'),
        ('c-1.zip', 'c', '1', '2026-11-20T23:09:52.5Z', NULL, '{"nested": {"a": [1, null]}, "__proto__": "x"}')`,
    )
    assert.deepEqual((await cache.findFile('a-1.zip'))?.data, {})
    assert.deepEqual((await cache.findFile('b-1.zip'))?.lastModified, new Date(0))
    const c = (await cache.findFile('c-1.zip'))!
    assert.equal(c.lastModified.toISOString(), '2026-11-20T23:09:52.500Z')
    await cache.save([c])
    assert.equal(
      rows(path).find(row => row['filename'] === 'c-1.zip')?.['data'],
      '{"nested": {"a": [1, null]}, "__proto__": "x"}',
    )
    assert.equal((await cache.search({}, 'or')).length, 3)
  })
})

describe('the complete mark', () => {
  const marked = async (path: string) => {
    const cache = await openFile(path)
    await cache.save([file])
    await cache.setState(completeMark, 'now')
    assert.equal(await cache.getState(completeMark), 'now')
    return cache
  }
  const ddl = () =>
    rows(join(fixtures, 'sql', 'cache.db'), "SELECT sql FROM sqlite_master WHERE type = 'table'")[0]!['sql']
  const rebuildOfPypicloud = (path: string, then = '') =>
    run(path, `DROP TABLE packages; ${String(ddl())}; ${then}`)
  const anyRow =
    "INSERT INTO packages VALUES ('z-1.zip', 'z', '1', '2026-11-20 23:09:52.000000', NULL, '{}');"

  it('ends when pypicloud drops the table, even if some rows are back, and can be set again', async () => {
    await using dir = await tempDir()
    await using cache = await marked(dir.join('cache.db'))
    rebuildOfPypicloud(dir.join('cache.db'))
    assert.equal(await cache.getState(completeMark), undefined)
    assert.deepEqual(await cache.listProjects(), [])
    run(dir.join('cache.db'), anyRow)
    assert.equal(await cache.getState(completeMark), undefined)
    await cache.setState(completeMark, 'again')
    assert.equal(await cache.getState(completeMark), 'again')
    rebuildOfPypicloud(dir.join('cache.db'), anyRow)
    assert.equal(await cache.getState(completeMark), undefined)
  })
  it('ends when others empty the table, not when we do', async () => {
    await using dir = await tempDir()
    await using cache = await marked(dir.join('cache.db'))
    await cache.remove([file])
    assert.equal(await cache.getState(completeMark), 'now')
    await cache.save([file])
    run(dir.join('cache.db'), 'DELETE FROM packages')
    assert.equal(await cache.getState(completeMark), undefined)
  })
  it('survives VACUUM', async () => {
    await using dir = await tempDir()
    await using cache = await marked(dir.join('cache.db'))
    run(dir.join('cache.db'), 'CREATE TABLE pypicloud_users (username); VACUUM')
    assert.equal(await cache.getState(completeMark), 'now')
  })
  it('is no reason to fail while the table is missing', async () => {
    await using dir = await tempDir()
    await using cache = await marked(dir.join('cache.db'))
    run(dir.join('cache.db'), 'DROP TABLE packages')
    assert.equal(await cache.getState(completeMark), undefined)
    await cache.save([file])
    assert.deepEqual(await cache.listProjects(), ['new-lib'])
    assert.equal(await cache.getState(completeMark), undefined)
  })
})
