import assert from 'node:assert/strict'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {completeMark} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {describeCache} from '../contracts/cache.js'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {sqlClient} from '../services/sql-client.js'
import {freePort} from '../support/free-port.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {startOriginal} from '../support/original.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {open} from './open-sql.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${testPassword}`).toString('base64')}`}
const ours: DistFile = {
  filename: 'ours-1.0-py3-none-any.whl',
  name: 'ours',
  version: '1.0',
  lastModified: new Date('2026-11-20T23:12:23Z'),
  summary: 'über 🎉',
  data: {uploader: 'bob', requires_python: '>=3.6', hash_sha256: 'ab', note: 'é🎉'},
}
const text = "SELECT filename, name, version, concat(last_modified, '') AS last_modified, summary, data"

for (const name of ['postgresql', 'mariadb'] as const) {
  describe(`pypicloud's cache on ${name}`, needs(name), () => {
    let server: DatabaseServer
    let script: string
    before(async () => {
      server = await startService(name)
      script = await readFile(join(fixtures, 'sql', `cache.${name}.sql`), 'utf8')
    })
    after(() => server[Symbol.asyncDispose]())
    const takenOver = async () => {
      const url = await server.createDatabase()
      await using client = await sqlClient(url)
      await client.run(script)
      return url
    }

    it('is read whole, and saving the same changes nothing of it', async () => {
      const url = await takenOver()
      await using client = await sqlClient(url)
      const all = `${text} FROM packages ORDER BY filename`
      const rows = await client.run(all)
      await using cache = await open(url)
      assert.equal(await cache.countFiles(), 14)
      const files: DistFile[] = []
      for await (const file of cache.listAllFiles()) files.push(file)
      assert.equal(files.length, rows.length)
      for (const row of rows) {
        const found = (await cache.findFile(String(row['filename'])))!
        assert.equal(found.summary, row['summary'])
        assert.deepEqual(found.data, JSON.parse(String(row['data'])))
        assert.equal(
          found.lastModified.toISOString().slice(0, 19),
          String(row['last_modified']).slice(0, 19).replace(' ', 'T'),
        )
      }
      await cache.save(files)
      assert.deepEqual(await client.run(all), rows)
    })

    it('gets rows as pypicloud writes them, in a table as pypicloud makes it', async () => {
      const url = await server.createDatabase()
      await using cache = await open(url)
      await using client = await sqlClient(url)
      await cache.save([{...ours, lastModified: new Date('2026-11-20T23:12:23.466Z')}])
      assert.deepEqual(await client.run(`${text} FROM packages`), [
        {
          filename: 'ours-1.0-py3-none-any.whl',
          name: 'ours',
          version: '1.0',
          last_modified: `2026-11-20 23:12:23${name === 'postgresql' ? '.466' : ''}`,
          summary: 'über 🎉',
          data: '{"uploader": "bob", "requires_python": ">=3.6", "hash_sha256": "ab", "note": "\\u00e9\\ud83c\\udf89"}',
        },
      ])
      const columns = `SELECT column_name AS name, data_type AS type, character_maximum_length AS length, is_nullable AS nullable
        FROM information_schema.columns WHERE table_name = 'packages' AND table_schema NOT LIKE 'x'
        ${name === 'mariadb' ? 'AND table_schema = DATABASE()' : ''} ORDER BY ordinal_position`
      await using theirs = await sqlClient(await takenOver())
      assert.deepEqual(await client.run(columns), await theirs.run(columns))
    })

    it('of 1.0 takes long summaries and emoji', async () => {
      const url = await server.createDatabase()
      await using client = await sqlClient(url)
      const latin = name === 'mariadb' ? 'DEFAULT CHARACTER SET utf8mb3' : ''
      const time = name === 'mariadb' ? 'DATETIME' : 'TIMESTAMP'
      await client.run(`CREATE TABLE packages (filename VARCHAR(255) NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL,
        version VARCHAR(1000) NOT NULL, last_modified ${time} NOT NULL, summary VARCHAR(255), data TEXT NOT NULL) ${latin};
        CREATE INDEX ix_packages_summary ON packages (summary);
        INSERT INTO packages VALUES ('old-1.zip', 'old', '1', '2026-11-20 23:12:23', 'kept', '{}')`)
      await using cache = await open(url)
      const summary = '🎉'.repeat(3000) + 'x'.repeat(3000)
      await cache.save([{...ours, summary}])
      assert.equal((await cache.findFile(ours.filename))?.summary, summary)
      assert.equal((await cache.findFile('old-1.zip'))?.summary, 'kept')
    })

    it('says which table can not hold a name, and changes nothing then', async () => {
      const url = await takenOver()
      await using cache = await open(url)
      await cache.save([ours])
      const other = {...ours, filename: ours.filename.toUpperCase(), summary: 'other'}
      if (name === 'postgresql') await cache.save([other])
      else await assert.rejects(cache.save([other]), /takes two names for the same that differ in case/)
      assert.deepEqual(await cache.findFile(ours.filename), ours)
      assert.equal(
        (await cache.findFiles([ours.filename, other.filename])).size,
        name === 'postgresql' ? 2 : 1,
      )
      assert.deepEqual(await cache.listFiles('Ours'), [])
    })

    it('shows changes of others within a second, of the project that they are about', async () => {
      const url = await takenOver()
      await using cache = await open(url)
      await using client = await sqlClient(url)
      const tokens = async () => [await cache.changeToken('open-lib'), await cache.changeToken('eggy')]
      const before = await tokens()
      assert.deepEqual(await tokens(), before)
      const all = await cache.changeToken()
      await client.run("UPDATE packages SET summary = 'new' WHERE filename = 'open-lib-0.9.tar.gz'")
      await new Promise(resolve => setTimeout(resolve, 1000))
      const [changed, same] = await tokens()
      assert.notEqual(changed, before[0])
      assert.equal(same, before[1])
      assert.notEqual(await cache.changeToken(), all)
    })

    it('loses the complete mark when it is dropped or emptied by others, not when we empty it', async () => {
      const url = await takenOver()
      await using cache = await open(url)
      await using client = await sqlClient(url)
      await cache.setState(completeMark, 'now')
      await client.run("DELETE FROM packages WHERE filename <> 'eggy-1.0-py2.7.egg'")
      assert.equal(await cache.getState(completeMark), 'now')
      const [last] = await cache.listFiles('eggy')
      assert.deepEqual((await cache.remove([last!])).emptied, ['eggy'])
      assert.equal(await cache.getState(completeMark), 'now')
      await cache.save([ours])
      await client.run('DELETE FROM packages')
      assert.equal(await cache.getState(completeMark), undefined)
      await cache.save([ours])
      await cache.setState(completeMark, 'again')
      await client.run('DROP TABLE packages')
      {
        await using rebuilding = await sqlClient(url)
        await rebuilding.run(script)
      }
      assert.equal(await cache.getState(completeMark), undefined)
      await client.run('DROP TABLE packages')
      assert.deepEqual(await cache.listProjects(), [], 'it is made again')
    })

    if (name === 'mariadb') {
      describeCache(
        'sql (taken-over database on mariadb)',
        async () => open((takenOverUrl ??= await takenOver())),
        {
          'replaces the row of a file name, and tells upper from lower case':
            "the key of pypicloud's table takes both for the same",
        },
        () => ({module: new URL('./open-sql.js', import.meta.url).href, argument: takenOverUrl ?? ''}),
        {wholeSeconds: true, rounds: 10, many: 1000},
      )
    }
    let takenOverUrl: string | undefined
  })

  describe(`pypicloud and this cache on one ${name}`, needs('pypicloud', name), () => {
    it('show at once what either writes and deletes, and a rebuild of its ends the complete mark', async () => {
      await using server = await startService(name)
      await using dir = await tempDir()
      const port = await freePort()
      await mkdir(dir.join('packages'))
      const driver = name === 'mariadb' ? 'mysql+pymysql' : 'postgresql+psycopg2'
      const config = [
        '[app:main]',
        'use = egg:pypicloud',
        'pypi.storage = file',
        'storage.dir = %(here)s/packages',
        'pypi.db = sql',
        `db.url = ${server.url.replace(/^\w+/, driver)}${name === 'mariadb' ? '?charset=utf8mb4' : ''}`,
        'auth.admins = admin',
        `user.admin = ${testPasswordHash}`,
        'session.validate_key = key',
        '[server:main]',
        'use = egg:waitress#main',
        'host = 127.0.0.1',
        `port = ${port}`,
      ]
      await writeFile(dir.join('server.ini'), `${config.join('\n')}\n`)
      await using cache = await open(server.url)
      await using original = await startOriginal(dir.join('server.ini'), port)
      const upload = async (version: string) => {
        const form = new FormData()
        const fields = {':action': 'file_upload', name: 'theirs', version, summary: 'Zähler 🎉'}
        for (const [key, value] of Object.entries(fields)) form.set(key, value)
        form.set('content', new Blob(['bytes']), `theirs-${version}.tar.gz`)
        const done = await fetch(`${original.url}/simple/`, {method: 'POST', headers, body: form})
        assert.equal(done.status, 200, await done.text())
      }
      const page = async (project: string) => {
        const answer = await fetch(`${original.url}/simple/${project}/`, {headers, redirect: 'manual'})
        return [...(await answer.text()).matchAll(/>([^<]+\.(?:tar\.gz|whl))</g)].map(([, each]) => each)
      }
      await cache.setState(completeMark, 'now')
      const startedAt = Date.now()
      await upload('1.0')
      const [found] = await cache.listFiles('theirs')
      assert.equal(found?.summary, 'Zähler 🎉')
      assert.ok(Math.abs(found.lastModified.getTime() - startedAt) < 60_000, 'times are UTC')
      await cache.save([ours])
      assert.deepEqual(await page('ours'), [ours.filename])
      await upload('2.0')
      const removal = `${original.url}/api/package/theirs/theirs-1.0.tar.gz`
      const gone = await fetch(removal, {method: 'DELETE', headers})
      assert.equal(gone.status, 200, await gone.text())
      assert.deepEqual(
        (await cache.listFiles('theirs')).map(({version}) => version),
        ['2.0'],
      )
      assert.equal(await cache.getState(completeMark), 'now')
      const rebuilt = await fetch(`${original.url}/admin/rebuild`, {headers})
      assert.equal(rebuilt.status, 200)
      assert.deepEqual(await cache.listProjects(), ['theirs'])
      assert.equal(await cache.getState(completeMark), undefined)
      await cache.remove(await cache.listFiles('theirs'))
      assert.deepEqual(await page('theirs'), [])
    })
  })
}
