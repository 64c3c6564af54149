import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {copyFile, readFile, readdir, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {gunzipSync} from 'node:zlib'
import Sqlite from 'better-sqlite3'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {onTerminal} from './on-terminal.js'
import {binPath, sqlConfig, tool} from './tool.js'

const json = (text: string) => JSON.parse(text) as Record<string, unknown>

/** A folder with the access database that pypicloud wrote, and a config `old.ini`; `new.ini` is empty. */
async function installation() {
  const dir = await tempDir()
  await copyFile(join(fixtures, 'sql/access.db'), dir.join('old-access.sqlite'))
  await writeFile(dir.join('old.ini'), sqlConfig('old'))
  await writeFile(dir.join('new.ini'), sqlConfig('new'))
  return dir
}

describe('ppc-export', () => {
  it('prints the dump on stdout, and nothing else anywhere', async () => {
    await using dir = await installation()
    const {code, stdout, stderr} = await tool(dir.path, 'ppc-export old.ini')
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, /^\{\n {2}"allow_register": true,\n/)
    assert.match(stdout, /\n\}\n$/)
  })
  it('opens neither the storage nor the cache', async () => {
    await using dir = await installation()
    await tool(dir.path, 'ppc-export old.ini')
    assert.deepEqual((await readdir(dir.path)).sort(), ['new.ini', 'old-access.sqlite', 'old.ini'])
  })
  it('writes a private file, compressed by its name, and replaces it as a whole', async () => {
    await using dir = await installation()
    const {stdout} = await tool(dir.path, 'ppc-export old.ini')
    for (const name of ['acl.json.gz', 'acl.json', 'acl.json.gz']) {
      const {code, stdout: nothing, stderr} = await tool(dir.path, `ppc-export old.ini -o ${name}`)
      assert.deepEqual({code, nothing, stderr}, {code: 0, nothing: '', stderr: ''})
      assert.equal((await stat(dir.join(name))).mode & 0o777, 0o600)
      const bytes = await readFile(dir.join(name))
      assert.deepEqual(json((name.endsWith('gz') ? gunzipSync(bytes) : bytes).toString()), json(stdout))
    }
    assert.ok(!(await readdir(dir.path)).some(name => name.endsWith('.part')))
  })
  it('names the rules of users who are gone, unless it is to be quiet', async () => {
    await using dir = await installation()
    const database = new Sqlite(dir.join('old-access.sqlite'))
    database.pragma('foreign_keys = OFF')
    const rule = `(package, username, "read", "write") VALUES ('lib', 'gone', 1, 0)`
    database.exec(`INSERT INTO pypicloud_user_permissions ${rule}`)
    database.close()
    const {stdout, stderr} = await tool(dir.path, 'ppc-export old.ini')
    assert.match(stderr, /^[^\n]*"lib"[^\n]*"gone"[^\n]*\n$/)
    assert.deepEqual(await tool(dir.path, 'ppc-export old.ini --quiet'), {code: 0, stdout, stderr: ''})
  })
  it('keeps the file of before when it fails', async () => {
    await using dir = await installation()
    await writeFile(dir.join('acl.json.gz'), 'backup of yesterday')
    await writeFile(dir.join('old-access.sqlite'), 'this is no database')
    const {code, stderr} = await tool(dir.path, 'ppc-export old.ini -o acl.json.gz')
    assert.notEqual(code, 0)
    assert.match(stderr, /^ppc-export: [^\n]*old-access\.sqlite[^\n]*\n/)
    assert.equal(await readFile(dir.join('acl.json.gz'), 'utf8'), 'backup of yesterday')
  })
  it('ends quietly when its reader goes away', async () => {
    await using dir = await installation()
    const child = spawn(process.execPath, [binPath('ppc-export'), 'old.ini'], {cwd: dir.path})
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', text => (stderr += String(text)))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(stderr, '')
    assert.ok(code === 141 || code === 0)
  })
})

describe('ppc-import', () => {
  it('takes an export through a pipe, and the second time changes nothing', async () => {
    await using dir = await installation()
    const {stdout: dump} = await tool(dir.path, 'ppc-export old.ini')
    const first = await tool(dir.path, 'ppc-import new.ini', {input: dump})
    assert.equal(first.code, 0)
    assert.equal(first.stdout, '')
    assert.match(first.stderr, /^Reading data from stdin\.\.\.\n/)
    assert.match(first.stderr, /Added 7 users \(0 others there already\), 1 pending user, 3 groups/)
    assert.deepEqual(json((await tool(dir.path, 'ppc-export new.ini')).stdout), json(dump))
    const second = await tool(dir.path, 'ppc-import new.ini --json', {input: dump})
    const report = json(second.stdout)
    assert.equal(second.stderr, '')
    assert.equal(report['usersAdded'], 0)
    assert.equal(report['grantsAdded'], 0)
    assert.deepEqual(json((await tool(dir.path, 'ppc-export new.ini')).stdout), json(dump))
  })
  it('takes what pypicloud wrote, compressed, from a file and from stdin', async () => {
    await using dir = await installation()
    const dump = join(fixtures, 'acl/export.json.gz')
    const {code, stdout} = await tool(dir.path, ['ppc-import', 'new.ini', '-i', dump])
    assert.deepEqual({code, stdout}, {code: 0, stdout: ''})
    const child = spawn(process.execPath, [binPath('ppc-import'), '--json', 'new.ini'], {cwd: dir.path})
    child.stdin.end(await readFile(dump))
    let report = ''
    child.stdout.on('data', text => (report += String(text)))
    assert.equal(((await once(child, 'close')) as [number])[0], 0)
    assert.equal(json(report)['usersKept'], 7)
  })
  it('changes nothing with --dry-run, and says the same', async () => {
    await using dir = await installation()
    const {stdout: dump} = await tool(dir.path, 'ppc-export old.ini')
    const dry = await tool(dir.path, 'ppc-import new.ini --dry-run --json', {input: dump})
    assert.equal(json((await tool(dir.path, 'ppc-export new.ini')).stdout)['users']?.toString(), '')
    const wet = await tool(dir.path, 'ppc-import new.ini --json', {input: dump})
    assert.deepEqual(json(dry.stdout), json(wet.stdout))
  })
  it('changes nothing for a damaged or foreign file, and says what is wrong', async () => {
    await using dir = await installation()
    const {stdout: dump} = await tool(dir.path, 'ppc-export old.ini')
    for (const input of [dump.slice(0, -20), '', 'hello', '[]', '{"users": 3}', '\u001f\u008b']) {
      const {code, stdout, stderr} = await tool(dir.path, 'ppc-import new.ini -q', {input})
      assert.equal(code, 1, input.slice(0, 20))
      assert.equal(stdout, '')
      assert.match(stderr, /^ppc-import: [^\n]+\n(?:[^\n]+\n)?$/)
    }
    assert.equal(json((await tool(dir.path, 'ppc-export new.ini')).stdout)['users']?.toString(), '')
  })
  it('makes a target equal with --prune, when it is told to', async () => {
    await using dir = await installation()
    const {stdout: dump} = await tool(dir.path, 'ppc-export old.ini')
    await writeFile(dir.join('acl.json'), dump)
    await tool(dir.path, 'ppc user create --admin --generate new.ini boss')
    await tool(dir.path, 'ppc group create new.ini temps')
    const before = (await tool(dir.path, 'ppc-export new.ini')).stdout

    const refused = await tool(dir.path, 'ppc-import new.ini -i acl.json --prune')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /give --yes/)
    const dry = await tool(dir.path, 'ppc-import new.ini -i acl.json --prune --dry-run --exit-code')
    assert.equal(dry.code, 4)
    assert.match(dry.stderr, /^Would remove 1 user: boss$/m)
    assert.match(dry.stderr, /^Would remove 1 group: temps$/m)
    assert.match(dry.stderr, /^Would add 7 users: .*\bada\b/m)
    const no = await onTerminal(dir.path, 'ppc-import new.ini -i acl.json --prune', [['Do that?', 'n\n']])
    assert.equal(no.code, 2)
    assert.match(no.screen, /Would remove 1 user: boss/)
    assert.equal((await tool(dir.path, 'ppc-export new.ini')).stdout, before)

    const yes = await onTerminal(dir.path, 'ppc-import new.ini -i acl.json --prune', [['Do that?', 'y\n']])
    assert.equal(yes.code, 0)
    assert.deepEqual(json((await tool(dir.path, 'ppc-export new.ini')).stdout), json(dump))
    const again = await tool(dir.path, 'ppc-import new.ini --prune --dry-run --exit-code', {input: dump})
    assert.equal(again.code, 0)
    assert.doesNotMatch(again.stderr, /remove|change/)
  })
  it('prints the lines for a config, where the rules are in one', async () => {
    await using dir = await installation()
    await writeFile(dir.join('conf.ini'), sqlConfig('conf').replace('pypi.auth = sql', 'pypi.auth = config'))
    const dump = join(fixtures, 'acl/export.json.gz')
    const {code, stdout} = await tool(dir.path, ['ppc-import', 'conf.ini', '-i', dump])
    assert.equal(code, 0)
    assert.match(stdout, /^user\.ada = \$6\$/m)
    assert.match(stdout, /^auth\.admins =\n {4}ada$/m)
  })
  it('says which file is missing before it opens anything', async () => {
    await using dir = await installation()
    const {code, stderr} = await tool(dir.path, 'ppc-import new.ini -i nowhere.json')
    assert.equal(code, 1)
    assert.equal(stderr, 'ppc-import: can\'t open "nowhere.json": no such file or directory\n')
    assert.ok(!(await readdir(dir.path)).includes('new-access.sqlite'))
  })
  it('ends with 130 at Ctrl-C, even while it waits for its input', async () => {
    await using dir = await installation()
    const child = spawn(process.execPath, [binPath('ppc-import'), 'new.ini'], {cwd: dir.path})
    await once(child.stderr, 'data') // Reading data from stdin...
    await new Promise(resolve => setTimeout(resolve, 300))
    child.kill('SIGINT')
    assert.equal(((await once(child, 'close')) as [number])[0], 130)
  })
})

describe('ppc user create', () => {
  it('creates users who are in the next export, with or without a terminal', async () => {
    await using dir = await installation()
    const made = await tool(dir.path, 'ppc user create --generate new.ini ci')
    assert.equal(made.code, 0)
    assert.match(made.stdout, /^[A-Za-z2-9]{20}\n$/)
    assert.equal(made.stderr, 'Created the user ci.\n')
    const piped = await tool(dir.path, 'ppc user create --admin --password-stdin new.ini ada', {
      input: 'pä\n',
    })
    assert.equal(piped.code, 0)
    assert.equal(piped.stdout, '')
    const {users} = JSON.parse((await tool(dir.path, 'ppc-export new.ini')).stdout) as {
      users: {username: string; admin: boolean}[]
    }
    assert.deepEqual(
      users.map(({username, admin}) => `${username} ${admin}`),
      ['ci false', 'ada true'],
    )
  })
  it('refuses names that can not log in, names that are taken, and backends that can not write', async () => {
    await using dir = await installation()
    await writeFile(dir.join('conf.ini'), sqlConfig('conf').replace('pypi.auth = sql', 'pypi.auth = config'))
    for (const [config, name, message] of [
      ['old.ini', 'a:b', /holds a colon/],
      ['old.ini', '__token__', /API token/],
      ['old.ini', 'bob', /there is a user "bob" already/],
      ['old.ini', 'pat', /waits for approval/],
      [
        'conf.ini',
        'eve',
        /conf\.ini: .* pypi\.auth = config can't be changed by a command\n.*ppc-gen-password/,
      ],
    ] as const) {
      const {code, stderr} = await tool(dir.path, `ppc user create --generate ${config} ${name}`)
      assert.equal(code, 1)
      assert.match(stderr, message)
    }
  })
})
