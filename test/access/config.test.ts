import assert from 'node:assert/strict'
import {copyFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import type {AclEntry} from '../../src/lib/access/access.js'
import {openConfigAccess} from '../../src/lib/access/config.js'
import {formatConfigLines} from '../../src/lib/access/config-lines.js'
import {readConfig} from '../../src/lib/config/config.js'
import {describeAccess} from '../contracts/access.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

const openLines = async (lines: string) => {
  await using directory = await tempDir()
  const file = directory.join('server.ini')
  await writeFile(file, `[app:main]\nuse = egg:pypicloud\nstorage.dir = x\ndb.url = sqlite://\n${lines}`)
  return await openConfigAccess(await readConfig(file, {environment: {}}))
}

describeAccess('config', async entries => openLines(await formatConfigLines(stream(entries))))

describe('rules in a configuration file', () => {
  it('take letters, words and nothing', async () => {
    const access = await openLines(`
package.a.user.bob = r
package.b.user.bob = w
package.c.user.bob = wr
package.d.user.bob = read write
package.e.user.bob =
package.f.group.everyone = read
package.g.user.bob = write
package.h.user.b.ob = rw
package.i.robot.bob = rw
`)
    const granted = await access.listGrants({user: 'bob'})
    assert.deepEqual(
      granted.map(({project, permissions}) => `${project} ${permissions.join()}`),
      ['a read', 'b write', 'c read,write', 'd read,write', 'e ', 'g write'],
    )
    assert.deepEqual([...((await access.listRuledProjects()) ?? [])].sort(), [
      'a',
      'b',
      'c',
      'd',
      'e',
      'f',
      'g',
    ])
  })
  it('that nobody has are listed', async () => {
    const access = await openLines('package.a.user.ghost = r\npackage.a.group.everyone = r\n')
    assert.deepEqual(
      (await access.listOrphans()).map(({principal}) => principal),
      [{user: 'ghost'}],
    )
  })
  it('of pypicloud are read', async () => {
    await using directory = await tempDir()
    const file = directory.join('server.ini')
    await copyFile(join(fixtures, 'acl/config-backend.server.ini'), file)
    const text = (await import('node:fs')).readFileSync(file, 'utf8').replace('%(http_port)s', '6543')
    await writeFile(file, text)
    const access = await openConfigAccess(await readConfig(file, {environment: {}}))
    assert.equal((await access.findAccount('ada'))?.admin, true)
    assert.deepEqual(await access.listMembers('raw-group'), ['bob', 'ghost-user'])
    assert.deepEqual([...((await access.getRules('none-lib')).users.get('carol') ?? ['?'])], [])
  })
})

describe('lines for a configuration file', () => {
  it('double percent signs and leave out what no file can hold', async () => {
    const text = await formatConfigLines(
      stream([
        {kind: 'user', username: 'a', admin: true, passwordHash: '50%'},
        {kind: 'user', username: 'b:c', admin: false, passwordHash: 'x'},
        {kind: 'user', username: 'nobody', admin: false, passwordHash: null},
        {kind: 'group', name: 'g'},
        {kind: 'member', group: 'g', username: 'two words'},
      ]),
    )
    assert.match(text, /^user\.a = 50%%$/m)
    assert.match(text, /^auth\.admins =\n {4}a$/m)
    assert.doesNotMatch(text, /^user\.b/m)
    assert.equal(text.match(/^# left out: /gm)?.length, 3)
    assert.ok(await openLines(text))
  })
})
