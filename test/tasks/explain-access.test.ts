import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {openConfigAccess} from '../../src/lib/access/config.js'
import {anonymous} from '../../src/lib/access/identity.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import type {Config} from '../../src/lib/config/config.js'
import {explainAccess} from '../../src/lib/tasks/explain-access.js'
import {configWith, tempDir} from '../support/temp.js'

const users = {
  'user.ada': 'x',
  'user.bob': 'x',
  'user.carol': 'x',
  'auth.admins': 'ada',
  'group.devs': 'bob',
  'group.writers': 'carol ghost',
  'package.Our_Tool.group.devs': 'r',
  'package.our-tool.user.bob': 'w',
  'package.open.group.everyone': 'r',
  'package.open.group.authenticated': 'w',
  'package.shut.user.ghost': '',
}
const configOf = async (settings: Record<string, string>): Promise<Config> => {
  await using directory = await tempDir()
  return await configWith(directory.path, {
    'storage.dir': 'x',
    'db.url': 'sqlite://',
    ...users,
    ...settings,
  })
}
const explain = async (username: string, project: string, settings: Record<string, string> = {}) => {
  const config = await configOf(settings)
  const {facts, verdicts} = await explainAccess(await openConfigAccess(config), config, username, project)
  return [
    ...facts,
    ...verdicts.map(
      ({right, allowed, because}) => `${right} ${allowed ? 'yes' : 'no'}: ${because.join('; ')}`,
    ),
  ]
}

describe('an explanation of rights', () => {
  it('names the rules that give them', async () => {
    assert.deepEqual(await explain('bob', 'OUR.tool', {'pypi.allow_overwrite_groups': 'admin devs'}), [
      'bob is no administrator, and in the group devs',
      'our-tool has rules, so that pypi.default_read and pypi.default_write do not count for it',
      'read yes: the rule of group devs',
      'write yes: the rule of user bob',
      'overwrite yes: pypi.allow_overwrite_groups gives it to group devs',
      'delete yes: pypi.allow_delete gives it to all who are logged in',
    ])
    assert.deepEqual((await explain('carol', 'our-tool')).slice(2), [
      'read no: its rules give it to others only',
      'write no: its rules give it to others only',
      'overwrite no: whoever does it must be allowed to write',
      'delete no: whoever does it must be allowed to write',
    ])
    assert.equal((await explain('carol', 'shut'))[2], 'read no: none of its rules gives it to anybody')
  })
  it('names the patterns of rules for many projects', async () => {
    const pattern = {'package.our-*.group.authenticated': 'r'}
    assert.equal(
      (await explain('carol', 'our-tool', pattern))[2],
      'read yes: the rule of group authenticated for our-*',
    )
    assert.equal(
      (await explain('bob', 'our-tool', pattern))[2],
      'read yes: the rule of group devs; the rule of group authenticated for our-*',
    )
    assert.equal(
      (await explain('everyone', 'our-new', pattern))[2],
      'read no: its rules give it to others only',
    )
  })
  it('names the pattern by which a group has it', async () => {
    assert.equal(
      (await explain('bob', 'our-new', {'package.our-*.group.dev*': 'r'}))[2],
      'read yes: the rule of group devs by dev* for our-*',
    )
  })
  it('names the default groups where there are no rules', async () => {
    assert.deepEqual((await explain('carol', 'new', {'pypi.default_write': 'writers'})).slice(1), [
      'new has no rules, so that pypi.default_read (authenticated) and pypi.default_write (writers) decide',
      'read yes: pypi.default_read gives it to all who are logged in',
      'write yes: pypi.default_write gives it to group writers',
      'overwrite no: pypi.allow_overwrite gives it to nobody',
      'delete yes: pypi.allow_delete gives it to all who are logged in',
    ])
    assert.equal((await explain('bob', 'new'))[3], 'write no: pypi.default_write gives it to nobody')
    assert.equal(
      (await explain('everyone', 'new'))[2],
      'read no: pypi.default_read gives it to all who are logged in only',
    )
  })
  it('says who counts as not logged in', async () => {
    assert.match((await explain('ghost', 'open'))[0]!, /has no user "ghost": .* counts as not logged in$/)
    assert.deepEqual((await explain('everyone', 'open')).slice(2, 4), [
      'read yes: the rule of group everyone',
      'write no: its rules give it to others only',
    ])
  })
  it('says what administrators may not do either', async () => {
    assert.deepEqual((await explain('ada', 'shut', {'pypi.allow_delete': 'false'})).slice(2), [
      'read yes: administrators may do it everywhere',
      'write yes: administrators may do it everywhere',
      'overwrite no: pypi.allow_overwrite gives it to nobody',
      'delete no: pypi.allow_delete gives it to nobody',
    ])
  })
  it('gives reasons that go with what the server decides', async () => {
    const gives = /^(?:administrators may|the rule of|pypi\.\w+ gives it to (?!nobody)(?!.* only$))/
    for (const settings of [
      {},
      {'pypi.default_read': 'everyone', 'pypi.default_write': 'devs admin', 'pypi.allow_overwrite': 'true'},
      {
        'pypi.default_read': '',
        'pypi.allow_overwrite_groups': 'admin',
        'pypi.allow_delete_groups': 'system.Everyone',
      },
    ]) {
      const config = await configOf(settings)
      const access = await openConfigAccess(config)
      const policy = new AccessPolicy(access, config)
      for (const username of ['ada', 'bob', 'carol', 'ghost', 'everyone']) {
        const identity = (await policy.identify(username)) ?? anonymous
        for (const project of ['our-tool', 'open', 'shut', 'new']) {
          const {verdicts} = await explainAccess(access, config, username, project)
          for (const {right, allowed, because} of verdicts) {
            assert.equal(
              because.every(reason => gives.test(reason)),
              allowed,
              `${username} ${right} ${project}: ${because.join('; ')}`,
            )
            if (right === 'read' || right === 'write') {
              assert.equal(allowed, await policy.can(identity, project, right))
            }
          }
        }
      }
    }
  })
})
