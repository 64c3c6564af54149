import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import Sqlite from 'better-sqlite3'
import {verifyPassword} from '../../src/lib/access/passwords/index.js'
import {startService, type Service} from '../services/index.js'
import {startAccessServer} from '../support/access-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {onTerminal} from './on-terminal.js'
import {sqlConfig, tool} from './tool.js'

interface Dump {
  users: {username: string; admin: boolean; password: string}[]
  groups: Record<string, string[]>
  packages: {users: Record<string, unknown>; groups: Record<string, unknown>}
  pending_users: {username: string}[]
}
/** A shell in a folder with `server.ini`. */
function shellIn(path: string) {
  const run = (line: string, input?: string) => tool(path, `ppc ${line}`, input === undefined ? {} : {input})
  return {
    run,
    /** What it says; it must succeed. */
    async done(line: string, input?: string): Promise<string> {
      const {code, stdout, stderr} = await run(line, input)
      assert.equal(code, 0, `${line}: ${stderr}`)
      return `${stdout}${stderr}`
    },
    dump: async () => JSON.parse((await run('export server.ini')).stdout) as Dump,
  }
}
const secretConfig = (url: string): string => `${sqlConfig('x')
  .replace('pypi.auth = sql', 'pypi.auth = aws_secrets_manager')
  .replace(/auth\.db\.url.*\n/, '')}auth.secret_id = rules
auth.region_name = us-east-1
auth.aws_access_key_id = AKIDEXAMPLE
auth.aws_secret_access_key = secret-example
auth.endpoint_url = ${url}
`
const pending = {
  ...{allow_register: true, groups: {}, users: [], packages: {users: {}, groups: {}}},
  pending_users: ['pat', 'eve'].map(username => ({username, password: '$6$salt$x'})),
}

/** What an administrator does in a day, the same on every backend that can be written. */
function describeChanges(name: string, config: () => string, needed: {skip: string | false}): void {
  describe(`ppc user, group and permission on ${name}`, needed, () => {
    let directory: Awaited<ReturnType<typeof tempDir>>
    let shell: ReturnType<typeof shellIn>
    before(async () => {
      directory = await tempDir()
      await writeFile(directory.join('server.ini'), config())
      shell = shellIn(directory.path)
    })
    after(() => directory[Symbol.asyncDispose]())

    it('create the first administrator, other users, and change a password', async () => {
      await shell.done('user create --admin --password-stdin server.ini ada', 'first\n')
      await shell.done('user create --generate server.ini bob')
      assert.match(
        await shell.done('user passwd --password-stdin server.ini ada', 'second\n'),
        /^Changed the password of ada\.\n$/,
      )
      const [ada] = (await shell.dump()).users
      assert.equal(await verifyPassword('second', ada?.password ?? ''), true)
      assert.equal(await shell.done('user list server.ini'), 'ada  administrator\nbob\n')
      await shell.done('user admin server.ini bob on')
      await shell.done('user admin server.ini ada off')
      assert.deepEqual(JSON.parse(await shell.done('user list server.ini --json')), {
        users: [
          {username: 'ada', admin: false, pending: false},
          {username: 'bob', admin: true, pending: false},
        ],
      })
    })
    it('approve and reject who has registered', async () => {
      await shell.done('import server.ini -q', JSON.stringify(pending))
      assert.match(await shell.done('user list server.ini'), /^eve {2}waits for approval\npat {2}waits/m)
      assert.equal(await shell.done('user registration server.ini'), 'on\n')
      assert.equal(await shell.done('user registration server.ini off'), 'off\n')
      await shell.done('user approve server.ini pat')
      await shell.done('user reject server.ini eve')
      assert.match((await shell.run('user reject server.ini pat')).stderr, /pat was approved before\n/)
      const {users, pending_users: left} = await shell.dump()
      assert.deepEqual(
        users.map(({username}) => username),
        ['ada', 'bob', 'pat'],
      )
      assert.deepEqual(left, [])
    })
    it('manage groups and rights', async () => {
      await shell.done('group create server.ini devs')
      await shell.done('group create server.ini ops')
      await shell.done('group add server.ini devs bob')
      await shell.done('group add server.ini devs pat')
      await shell.done('group remove server.ini devs pat')
      assert.equal(await shell.done('group list server.ini'), 'devs  bob\nops\n')
      assert.match(
        await shell.done('permission grant server.ini Acme_Lib rw --group devs'),
        /first rule of Acme_Lib: nobody has it by pypi\.default_read any more/,
      )
      assert.equal(
        await shell.done('permission grant server.ini acme-lib read --group everyone'),
        'The group everyone may read acme-lib.\n',
      )
      await shell.done('permission grant server.ini acme.lib rw -u pat')
      assert.match(await shell.done('permission revoke server.ini acme-lib write -u pat'), /may only read/)
      assert.match(
        await shell.done('permission revoke server.ini acme-lib write -u ada'),
        /had no such right/,
      )
      assert.deepEqual(JSON.parse(await shell.done('permission list server.ini ACME-LIB --json')), {
        permissions: [
          {project: 'acme-lib', permissions: ['read'], user: 'pat'},
          {project: 'acme-lib', permissions: ['read', 'write'], group: 'devs'},
          {project: 'acme-lib', permissions: ['read'], group: 'everyone'},
        ],
      })
      assert.equal(
        await shell.done('permission list server.ini --group devs'),
        'acme-lib  group devs  read write\n',
      )
    })
    it('delete, and nothing of it comes back with the name', async () => {
      await shell.done('user delete --yes server.ini pat')
      await shell.done('group delete --yes server.ini devs')
      await shell.done('user create --generate server.ini pat')
      await shell.done('group create server.ini devs')
      const {groups, packages} = await shell.dump()
      assert.deepEqual(groups['devs'], [])
      assert.deepEqual(packages, {users: {}, groups: {'acme-lib': {everyone: ['read']}}})
      assert.match(await shell.done('user delete -y server.ini bob'), /Nobody is an administrator now/)
    })
  })
}

describeChanges('a database', () => sqlConfig('server'), {skip: false})

describe('with AWS Secrets Manager', needs('moto'), () => {
  let moto: Service
  before(async () => {
    moto = await startService('moto')
  })
  after(() => moto[Symbol.asyncDispose]())
  describeChanges('a secret', () => secretConfig(moto.url), {skip: false})

  it('an export goes into a secret and out of it into a database, unchanged', async () => {
    await using directory = await tempDir()
    const secret = secretConfig(moto.url).replace('= rules', '= moved')
    await writeFile(directory.join('sql.ini'), sqlConfig('sql'))
    await writeFile(directory.join('secret.ini'), secret)
    await writeFile(directory.join('back.ini'), sqlConfig('back'))
    const shell = shellIn(directory.path)
    await shell.done('user create --generate --admin sql.ini ada')
    await shell.done('group create sql.ini devs')
    await shell.done('group add sql.ini devs ada')
    await shell.done('permission grant sql.ini lib rw --group authenticated')
    await shell.done(
      'import sql.ini -q',
      JSON.stringify({...pending, packages: {users: {lib: {ada: []}}, groups: {}}}),
    )
    const dumped = await shell.run('export sql.ini')
    const dry = await shell.done('import secret.ini --dry-run', dumped.stdout)
    assert.match(dry, /Would add 1 user/)
    assert.match(await shell.done('import secret.ini', dumped.stdout), /Added 1 user/)
    const fromSecret = await shell.run('export secret.ini')
    assert.equal(fromSecret.stdout, dumped.stdout)
    await shell.done('import back.ini -q', fromSecret.stdout)
    assert.equal((await shell.run('export back.ini')).stdout, dumped.stdout)
  })
})

describe('ppc user, group and permission', () => {
  it('say in one sentence what can not be, and change nothing', async () => {
    await using directory = await tempDir()
    await writeFile(directory.join('server.ini'), sqlConfig('server'))
    const shell = shellIn(directory.path)
    await shell.done('user create --generate server.ini ada')
    await shell.done('group create server.ini devs')
    const before = await shell.dump()
    for (const [line, code, message] of [
      ['user passwd --generate server.ini ghost', 1, /has no user "ghost"/],
      ['user admin server.ini ghost on', 1, /has no user "ghost"/],
      ['user delete --yes server.ini ghost', 1, /has no user "ghost"/],
      ['user delete server.ini ada', 2, /no terminal to ask on: give --yes/],
      ['user passwd server.ini ada', 2, /give --password-stdin, --password-file or --generate/],
      ['group create server.ini devs', 1, /a group "devs" exists already/],
      ['group create server.ini everyone', 1, /has a meaning of its own/],
      ['group add server.ini ghosts ada', 1, /has no group "ghosts"/],
      ['group add server.ini devs ghost', 1, /has no user "ghost"/],
      ['group add server.ini everyone ada', 1, /"everyone", which has no members of its own/],
      ['permission grant server.ini lib rw', 2, /Give --user or --group/],
      ['permission grant server.ini lib rw --user ghost', 1, /has no user "ghost"/],
      ['permission grant server.ini ../lib rw --user ada', 1, /is no name of a project/],
      ['permission grant server.ini lib execute --user ada', 2, /execute/],
    ] as const) {
      const {code: found, stdout, stderr} = await shell.run(line)
      assert.equal(found, code, `${line}: ${stderr}`)
      assert.equal(stdout, '')
      assert.match(stderr, message)
      assert.doesNotMatch(stderr, /^ +at /m)
    }
    assert.deepEqual(await shell.dump(), before)
  })
})

describe('ppc user, group and permission with rules in a config', () => {
  it('name the lines to put there', async () => {
    await using directory = await tempDir()
    const hash =
      '$6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11'
    const rules = `user.ada = ${hash}\nuser.bob = ${hash}\nauth.admins = ada\ngroup.devs = ada\npackage.lib.group.devs = r\n`
    await writeFile(
      directory.join('server.ini'),
      sqlConfig('x').replace('= sql\nauth', `= config\n${rules}auth`),
    )
    const shell = shellIn(directory.path)
    assert.equal(await shell.done('permission list server.ini -g devs'), 'lib  group devs  read\n')
    for (const [line, wanted] of [
      [
        'user create --generate server.ini eve',
        'put "user.eve = HASH", with a hash from ppc-gen-password into it',
      ],
      [
        'user passwd --generate server.ini bob',
        'put "user.bob = HASH", with a hash from ppc-gen-password into it',
      ],
      ['user admin server.ini bob on', 'put "auth.admins = ada bob" into it'],
      ['user delete server.ini bob', 'remove user.bob and package.PROJECT.user.bob'],
      ['group add server.ini devs bob', 'put "group.devs = ada bob" into it'],
      ['group remove server.ini devs ada', 'put "group.devs =" into it'],
      ['permission grant server.ini lib write -g devs', 'put "package.lib.group.devs = rw" into it'],
      ['permission revoke server.ini lib read -g devs', 'remove "package.lib.group.devs"'],
    ] as const) {
      const {code, stdout, stderr} = await shell.run(line)
      assert.deepEqual({code, stdout}, {code: 1, stdout: ''}, line)
      assert.match(
        stderr,
        /server\.ini: the users, groups and rights of pypi\.auth = config can't be changed/,
      )
      assert.ok(stderr.includes(`Edit that file: ${wanted}`), stderr)
    }
  })
})

describe('with a server that decides', () => {
  it('what it lists is shown and exported, and an import says whom it can not take', async () => {
    await using directory = await tempDir()
    const grant = {kind: 'grant', project: 'lib', principal: {group: 'crew'}, permissions: ['read']} as const
    await using server = await startAccessServer([
      {kind: 'user', username: 'sam', admin: true, passwordHash: null},
      {kind: 'group', name: 'crew'},
      {kind: 'member', group: 'crew', username: 'sam'},
      grant,
    ])
    const config = sqlConfig('x').replace('pypi.auth = sql', 'pypi.auth = remote')
    const remote = config.replace(/auth\.db\.url.*/, `auth.backend_server = ${server.url}`)
    await writeFile(directory.join('remote.ini'), remote)
    await writeFile(directory.join('server.ini'), sqlConfig('server'))
    const shell = shellIn(directory.path)
    assert.equal(await shell.done('user list remote.ini'), 'sam  administrator\n')
    assert.equal(await shell.done('permission list remote.ini'), 'lib  group crew  read\n')
    assert.match(
      (await shell.run('group create remote.ini x')).stderr,
      /Change them where they are kept\.\n$/,
    )
    const {stdout} = await shell.run('export remote.ini')
    assert.match(
      await shell.done('import server.ini', stdout),
      /user "sam" was left out: .* no password hash/,
    )
    const {groups, packages, users} = await shell.dump()
    assert.deepEqual({groups, users}, {groups: {crew: []}, users: []})
    assert.deepEqual(packages.groups, {lib: {crew: ['read']}})
    await server[Symbol.asyncDispose]()
    assert.equal((await shell.run('user list remote.ini')).code, 75)
  })
})

describe('ppc user on a terminal', needs('python3'), () => {
  it('asks for a new password without showing it, and before it deletes', async () => {
    await using directory = await tempDir()
    await writeFile(directory.join('server.ini'), sqlConfig('server'))
    const shell = shellIn(directory.path)
    await shell.done('user create --generate server.ini bob')
    const changed = await onTerminal(directory.path, 'ppc user passwd server.ini bob', [
      ['Password:', 'typed-1\r'],
      ['Password:', 'typed-1\r'],
    ])
    assert.equal(changed.code, 0, changed.screen)
    assert.doesNotMatch(changed.screen, /typed-1/)
    const database = new Sqlite(directory.join('server-access.sqlite'), {readonly: true})
    const hash = database.prepare('SELECT password FROM pypicloud_users').pluck().get() as string
    database.close()
    assert.equal(await verifyPassword('typed-1', hash), true)
    const kept = await onTerminal(directory.path, 'ppc user delete server.ini bob', [['Delete', 'n\r']])
    assert.equal(kept.code, 2, kept.screen)
    assert.match(kept.screen, /nothing was changed/)
    const gone = await onTerminal(directory.path, 'ppc user delete server.ini bob', [['Delete', 'y\r']])
    assert.equal(gone.code, 0, gone.screen)
    assert.equal(await shell.done('user list server.ini'), '')
  })
})
