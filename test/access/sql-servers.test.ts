import {after, before, describe} from 'node:test'
import type {AclEntry} from '../../src/lib/access/access.js'
import {openSqlAccess} from '../../src/lib/access/sql/sql.js'
import {describeAccess, describeAccessWriter} from '../contracts/access.js'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'

async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

for (const name of ['postgresql', 'mariadb'] as const) {
  describe(`access on ${name}`, needs(name), () => {
    let server: DatabaseServer
    let dir: Awaited<ReturnType<typeof tempDir>>
    before(async () => {
      dir = await tempDir()
      server = await startService(name)
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    })
    const openStore = async () => {
      const config = await configWith(dir.path, {
        'storage.dir': 'x',
        'db.url': 'sqlite://',
        'pypi.auth': 'sql',
        'auth.db.url': await server.createDatabase(),
      })
      return () => openSqlAccess(config)
    }
    const openWith = async (entries: readonly AclEntry[]) => {
      const access = await (await openStore())()
      await access.writer?.load(stream(entries))
      return access
    }
    describeAccess(`sql on ${name}`, openWith, {
      'takes names of 10,000 characters': 'the columns of pypicloud have room for 255',
    })
    describeAccessWriter(`sql on ${name}`, openStore)
  })
}
