import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import type {Cache} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {oddPackages} from '../support/odd-packages.js'
import {tempDir} from '../support/temp.js'
import {startBesideOriginal, type OriginalFile} from './beside-original.js'
import {openDynamo, settingsFor} from './open-dynamo.js'
import {open as openRedis} from './open-redis.js'
import {open as openSql, openFile} from './open-sql.js'

/** A database that pypicloud and we share: the lines of its config, and how we open it. */
interface Shared extends AsyncDisposable {
  readonly lines: readonly string[]
  open(): Promise<Cache>
}
const places: Readonly<Record<string, {readonly needs: readonly string[]; start(): Promise<Shared>}>> = {
  SQLite: {
    needs: [],
    async start() {
      const dir = await tempDir()
      return {
        lines: ['pypi.db = sql', `db.url = sqlite:///${dir.join('cache.db')}`],
        open: () => openFile(dir.join('cache.db')),
        [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
      }
    },
  },
  PostgreSQL: {
    needs: ['postgresql'],
    async start() {
      const server = await startService('postgresql')
      const url = server.url.replace(/^\w+/, 'postgresql+psycopg2')
      return {...server, lines: ['pypi.db = sql', `db.url = ${url}`], open: () => openSql(server.url)}
    },
  },
  MariaDB: {
    needs: ['mariadb'],
    async start() {
      const server = await startService('mariadb')
      const url = `${server.url.replace(/^\w+/, 'mysql+pymysql')}?charset=utf8mb4`
      return {...server, lines: ['pypi.db = sql', `db.url = ${url}`], open: () => openSql(server.url)}
    },
  },
  Redis: {
    needs: ['redis'],
    async start() {
      const server = await startService('redis')
      const url = `${server.url}/2`
      return {...server, lines: ['pypi.db = redis', `db.url = ${url}`], open: () => openRedis(url)}
    },
  },
  DynamoDB: {
    needs: ['ministack'],
    async start() {
      const server = await startService('ministack')
      const {hostname, port} = new URL(server.url)
      const {accessKeyId = '', secretAccessKey = ''} = settingsFor(server.url)
      return {
        ...server,
        lines: [
          ...['pypi.db = dynamo', `db.host = ${hostname}`, `db.port = ${port}`, 'db.region_name = us-east-1'],
          ...[`db.aws_access_key_id = ${accessKeyId}`, `db.aws_secret_access_key = ${secretAccessKey}`],
        ],
        open: () => openDynamo(server.url),
      }
    },
  },
}

/** A row as pypicloud would tell of it. */
function told({name, version, summary, lastModified, data}: DistFile): OriginalFile {
  const fields = ['requires_python', 'hash_sha256', 'hash_md5', 'uploader'] as const
  const metadata = Object.fromEntries(
    fields.flatMap(key => (data[key] === undefined ? [] : [[key, data[key]]])),
  )
  return {
    ...{name, version, summary, last_modified: Math.floor(lastModified.getTime() / 1000)},
    metadata: summary === null ? metadata : {...metadata, summary},
  }
}

async function rowsOf(cache: Cache): Promise<Record<string, OriginalFile>> {
  const rows: Record<string, OriginalFile> = {}
  for await (const file of cache.listAllFiles()) rows[file.filename] = told(file)
  return rows
}

for (const [name, place] of Object.entries(places)) {
  describe(`odd packages that pypicloud has put into ${name}`, needs('pypicloud', ...place.needs), () => {
    it('are read, rebuilt, written and deleted here, and pypicloud lists the same', async () => {
      await using shared = await place.start()
      await using original = await startBesideOriginal(shared.lines)
      for (const file of oddPackages) await original.publish(file)
      const theirs = await original.files()
      assert.equal(Object.keys(theirs).length, oddPackages.length)

      await using cache = await shared.open()
      await using store = await openDirectory(original.directory)
      const parts = {storage: new PackageStorage(store), cache}
      assert.deepEqual(await rowsOf(cache), theirs)
      for (const full of [false, true, false]) {
        const report = await rebuildCache(parts, {owner: 'the test', full})
        assert.deepEqual([report.oddities, report.added, report.removed], [[], 0, 0])
        assert.deepEqual(await rowsOf(cache), theirs)
      }
      assert.deepEqual(await original.files(), theirs)

      for await (const file of cache.listAllFiles()) {
        assert.deepEqual(await cache.findFile(file.filename), file)
        assert.ok((await cache.listFiles(file.name)).some(({filename}) => filename === file.filename))
        await cache.save([file])
      }
      assert.deepEqual(await original.files(), theirs)

      const [gone, goneThere, ...left] = oddPackages.map(({filename}) => filename).reverse()
      const row = await cache.findFile(gone ?? '')
      const rowThere = theirs[goneThere ?? '']
      assert.ok(row && rowThere)
      await parts.storage.delete(row)
      await cache.remove([row])
      await original.remove(rowThere.name, goneThere ?? '')
      const expected = Object.fromEntries(
        Object.entries(theirs).filter(([filename]) => left.includes(filename)),
      )
      assert.deepEqual(await original.files(), expected)
      const report = await rebuildCache(parts, {owner: 'the test', full: true})
      assert.deepEqual([report.added, report.updated, report.removed], [0, 0, 0])
      assert.deepEqual(await rowsOf(cache), expected)
      await original.rebuild()
      const again = await original.files()
      assert.deepEqual(Object.keys(again), Object.keys(expected))
      assert.deepEqual(await rowsOf(cache), again)
    })
  })
}
