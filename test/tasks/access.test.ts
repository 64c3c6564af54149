import assert from 'node:assert/strict'
import {createReadStream} from 'node:fs'
import {copyFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {describe, it} from 'node:test'
import {openBackends} from '../../src/lib/backends.js'
import {listPermissions} from '../../src/lib/tasks/edit-permissions.js'
import {importAccess} from '../../src/lib/tasks/import-access.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'

const sqlSettings = (path: string) => ({
  'storage.dir': 'x',
  'db.url': 'sqlite://',
  'pypi.auth': 'sql',
  'auth.db.url': `sqlite:///${path}`,
})

describe('importAccess', () => {
  it('tells by a dry run what it would do, and does nothing', async () => {
    await using directory = await tempDir()
    const config = await configWith(directory.path, sqlSettings(directory.join('access.db')))
    await using backends = await openBackends(config, ['access'])
    const dump = () => createReadStream(join(fixtures, 'acl/export.json.gz'))
    const dry = await importAccess(dump(), backends.access, {dryRun: true})
    assert.deepEqual(await backends.access.listUsers(), [])
    assert.deepEqual(await importAccess(dump(), backends.access), dry)
    assert.equal((await backends.access.listUsers()).length, 7)
  })
  it('keeps the passwords of an installation and takes over who is administrator', async () => {
    await using directory = await tempDir()
    const path = directory.join('access.db')
    await copyFile(join(fixtures, 'v1.0.11/access.db'), path)
    await using backends = await openBackends(await configWith(directory.path, sqlSettings(path)), ['access'])
    const before = await backends.access.findAccount('bob')
    const result = await importAccess(createReadStream(join(fixtures, 'acl/export.json.gz')), backends.access)
    assert.ok('report' in result)
    assert.equal(result.report.usersKept, 7)
    assert.deepEqual(await backends.access.findAccount('bob'), before)
  })
  it('is refused by a backend that takes none', async () => {
    await using directory = await tempDir()
    const config = await configWith(directory.path, {'storage.dir': 'x', 'db.url': 'sqlite://'})
    await using backends = await openBackends(config, ['access'])
    const readOnly = Object.create(backends.access, {
      formatEntries: {value: undefined},
    }) as typeof backends.access
    await assert.rejects(importAccess(Readable.from(['{}']), readOnly), {code: 'PPC_USAGE'})
  })
})

describe('listPermissions', () => {
  it('lists of a project the rules for all projects that match, too', async () => {
    await using directory = await tempDir()
    const config = await configWith(directory.path, {
      'storage.dir': 'x',
      'db.url': 'sqlite://',
      'package.acme-*.user.ada': 'rw',
      'package.acme-lib.user.bob': 'r',
      'package.other-*.user.bob': 'r',
    })
    await using backends = await openBackends(config, ['access'])
    const projectsFor = async (project: string) =>
      (await listPermissions(backends.access, {project})).map(grant => grant.project).sort()
    assert.deepEqual(await projectsFor('Acme.Lib'), ['acme-*', 'acme-lib'])
    assert.deepEqual(await projectsFor('acme'), [])
  })
})
