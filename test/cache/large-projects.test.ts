import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import Sqlite from 'better-sqlite3'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {tempDir} from '../support/temp.js'
import {openFile} from './open-sql.js'

const fileOf = (number: number, summary: string | null = null): DistFile => ({
  filename: `large-1.${number}-py3-none-any.whl`,
  name: 'large',
  version: `1.${number}`,
  lastModified: new Date(1_700_000_000_000 + number),
  summary,
  data: {hash_sha256: number.toString(16).padStart(64, '0'), note: `"quoted" \\ é🎉 ${number}`},
})
const many = Array.from({length: 700}, (_, number) => fileOf(number))
const byName = (files: readonly DistFile[]) =>
  [...files].sort((a, b) => (a.filename < b.filename ? -1 : a.filename > b.filename ? 1 : 0))

describe('a project of many files in SQLite', () => {
  it('is listed as it is when others have changed it', async () => {
    await using dir = await tempDir()
    const path = dir.join('cache.db')
    await using cache = await openFile(path)
    await cache.save(many)
    const names = new Set(many.map(({filename}) => filename))
    const check = async () => {
      const listed = await cache.listFiles('large')
      assert.deepEqual(new Set(listed.map(({filename}) => filename)), names)
    }
    await check()
    await check() // now as a project that is known to be large

    const others = new Sqlite(path)
    others.prepare(`UPDATE packages SET name = 'other' WHERE filename = ?`).run(fileOf(5).filename)
    names.delete(fileOf(5).filename)
    await check()
    others.exec('VACUUM') // may number the rows anew
    await check()
    others.exec('DELETE FROM packages')
    others.close()
    names.clear()
    await check()
    await cache.save([fileOf(1)])
    names.add(fileOf(1).filename)
    await check()
  })

  it('is the same list while nothing of it changes, and keeps the files that do not', async () => {
    await using dir = await tempDir()
    await using cache = await openFile(dir.join('cache.db'))
    await cache.save(many)
    await cache.listFiles('large')
    const before = await cache.listFiles('large')
    await cache.save([{...fileOf(1), filename: 'small-1.zip', name: 'small'}])
    assert.equal(await cache.listFiles('large'), before)
    await cache.save([fileOf(650, 'changed')])
    const after = await cache.listFiles('large')
    assert.equal(after[0], before[0])
    assert.equal(after.find(({filename}) => filename === fileOf(650).filename)?.summary, 'changed')
  })

  it('may hold rows that nobody should have written', async () => {
    await using dir = await tempDir()
    const path = dir.join('cache.db')
    await using cache = await openFile(path)
    await cache.save(many)
    const others = new Sqlite(path)
    const insert = others.prepare('INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?)')
    insert.run(
      'bytes.zip',
      'large',
      '1',
      '2026-11-20 23:09:52',
      Buffer.from([0xff, 0x22]),
      Buffer.from('{"a": 1}'),
    )
    insert.run('nul\0"name".zip', 'large', '1', '2026-11-20 23:09:52', 'a\0b', 'not json')
    insert.run('number.zip', 'large', '1', 20_261_120, null, '[]')
    others.close()
    const once = byName(await cache.listFiles('large'))
    const again = byName(await cache.listFiles('large'))
    assert.equal(again.length, many.length + 3)
    assert.deepEqual(
      again.map(({filename, version, lastModified}) => ({filename, version, lastModified})),
      once.map(({filename, version, lastModified}) => ({filename, version, lastModified})),
    )
    assert.deepEqual(again.find(({filename}) => filename === 'bytes.zip')?.data, {a: 1})
  })
})
