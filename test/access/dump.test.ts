import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {PassThrough, Readable} from 'node:stream'
import {text} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {gzipSync} from 'node:zlib'
import type {Access, AclEntry} from '../../src/lib/access/access.js'
import {openConfigAccess} from '../../src/lib/access/config.js'
import {parseDump} from '../../src/lib/access/dump/dump.js'
import {unpackIfGzip} from '../../src/lib/access/gunzip.js'
import {readConfig} from '../../src/lib/config/config.js'
import {exportAccess} from '../../src/lib/tasks/export-access.js'
import {importAccess} from '../../src/lib/tasks/import-access.js'
import {fixtures, repoRoot} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'
import {openSqlAt, openStore} from './sql-support.js'

const openSql = async (database?: string): Promise<Access & {path: string}> => {
  const {path, open} = await openStore(database)
  return Object.assign(await open(), {path})
}

const dumpOf = async (access: Access, indent?: number): Promise<string> => {
  const out = new PassThrough()
  const collected = text(out)
  await exportAccess(access, out, {indent})
  out.end()
  return collected
}
interface Dump {
  groups: Record<string, string[]>
  packages: {groups: Record<string, unknown>; users: Record<string, unknown>}
}
/** pypicloud lists members in random order. */
const valueOf = (json: string): Dump => {
  const dump = JSON.parse(json) as Dump
  for (const members of Object.values(dump.groups)) members.sort()
  return dump
}
const fixture = (name: string) => readFile(join(fixtures, name), 'utf8')
const bytes = (data: string | Buffer) => Readable.from([Buffer.from(data)])
const parse = async (data: string | Buffer, notices: string[] = []): Promise<AclEntry[]> => {
  const entries: AclEntry[] = []
  for await (const entry of parseDump(bytes(data), {onNotice: notice => notices.push(notice)}))
    entries.push(entry)
  return entries
}

describe('an export', () => {
  const specialRules = {
    'open-lib': {everyone: ['read'], authenticated: ['read', 'write']},
    'foo-bar-baz': {authenticated: ['read']},
  }
  it('of pypicloud’s database is pypicloud’s own, with the rules that it loses', async () => {
    await using access = await openSql('sql/access.db')
    const theirs = valueOf(await fixture('acl/export.stdout.json'))
    Object.assign(theirs.packages.groups, specialRules)
    const json = await dumpOf(access, 2)
    assert.deepEqual(valueOf(json), theirs)
    assert.deepEqual(Object.keys(JSON.parse(json) as object), Object.keys(theirs))
    assert.ok(json.endsWith('}\n'))
    assert.deepEqual(JSON.parse(await dumpOf(access)), JSON.parse(json))
    assert.equal((await dumpOf(access)).split('\n').length, 2)
    assert.equal(await dumpOf(access, 2), json)
  })
  it('after an import of pypicloud is the same', async () => {
    await using access = await openSql('acl/after-import.access.db')
    assert.deepEqual(valueOf(await dumpOf(access)), valueOf(await fixture('acl/after-import.export.json')))
  })
  it('of a configuration file is pypicloud’s own', async () => {
    await using directory = await tempDir()
    const file = directory.join('server.ini')
    const config = await fixture('acl/config-backend.server.ini')
    await writeFile(file, config.replace('%(http_port)s', '6543'))
    await using access = await openConfigAccess(await readConfig(file, {environment: {}}))
    const theirs = valueOf(await fixture('acl/config-backend.export.json'))
    theirs.packages.groups['short-lib'] = {everyone: ['read', 'write']}
    assert.deepEqual(valueOf(await dumpOf(access)), theirs)
  })
  it('of nothing is a dump', async () => {
    await using access = await openSql()
    const json = await dumpOf(access, 2)
    assert.deepEqual(JSON.parse(json), {
      allow_register: false,
      version: '1.3.12',
      groups: {},
      users: [],
      packages: {users: {}, groups: {}},
      pending_users: [],
    })
    assert.deepEqual(await parse(json), [{kind: 'registration', allowed: false}])
  })
  it('is plain ASCII, as Python writes it', async () => {
    await using access = await openSql()
    const username = 'ünï🔑\u007f'
    await access.writer?.load(
      Readable.from([{kind: 'user', username: 'x', admin: false, passwordHash: 'h'} satisfies AclEntry]),
    )
    await access.writer?.grant('lib', {group: username.slice(0, -1)}, 'read')
    await access.writer?.addAccount({username: 'ünï🔑', admin: false, pending: true, passwordHash: 'h'})
    const json = await dumpOf(access)
    assert.match(json, /^[\x00-\x7f]*$/)
    assert.ok(json.includes('\\u00fcn\\u00ef\\ud83d\\udd11'))
  })
  it('tells which rules belong to nobody', async () => {
    await using access = await openSql()
    await access.writer?.grant('lib', {user: 'ghost'}, 'read')
    const notices: string[] = []
    const out = new PassThrough().resume()
    await exportAccess(access, out, {onNotice: notice => notices.push(notice)})
    assert.match(notices.join(), /"lib" for user "ghost"/)
  })
})

describe('an import', () => {
  const dumps = ['acl/export.json.gz', 'acl/export.stdout.json'] as const
  for (const name of dumps) {
    it(`of ${name} gives back the same dump, also the second time`, async () => {
      await using access = await openSql()
      const data = await readFile(join(fixtures, name))
      const first = await importAccess(bytes(data), access)
      assert.ok('report' in first)
      assert.deepEqual(first.report.notices, [])
      assert.equal(first.report.usersAdded, 7)
      await importAccess(bytes(data), access)
      assert.deepEqual(valueOf(await dumpOf(access)), valueOf(await fixture('acl/export.stdout.json')))
    })
  }
  it('into a configuration gives the lines that pypicloud prints', async () => {
    await using directory = await tempDir()
    await using access = await openConfigAccess(
      await configWith(directory.path, {'storage.dir': 'x', 'db.url': 'sqlite://'}),
    )
    const result = await importAccess(bytes(await readFile(join(fixtures, 'acl/export.json.gz'))), access)
    assert.ok('configLines' in result)
    const lines = (ini: string) =>
      ini
        .split('\n')
        .map(line => line.trimEnd())
        .filter(Boolean)
        .sort()
    const expected = (await fixture('acl/config-backend.import-stdout.ini'))
      // pypicloud prints these two rules, and does not see them when it reads them
      .replace('package.Not.Normalised_Name.user.frank', 'package.not-normalised-name.user.frank')
      .replace(
        'package.foo-bar-baz.user.svc.build@example.com = rw',
        '# left out: "package.foo-bar-baz.user.svc.build@example.com": a name with a dot can have no rules in a configuration file\n' +
          'package.foo-bar-baz.group.everyone =',
      )
    assert.deepEqual(lines(result.configLines), lines(expected))
  })
  it('takes what the export of another backend pipes in', async () => {
    await using source = await openSql('sql/access.db')
    await using target = await openSql()
    const pipe = new PassThrough()
    const [, result] = await Promise.all([
      exportAccess(source, pipe).then(() => pipe.end()),
      importAccess(pipe, target),
    ])
    assert.ok('report' in result)
    assert.deepEqual(JSON.parse(await dumpOf(target)), JSON.parse(await dumpOf(source)))
  })
})

describe('a dump that is none', () => {
  const good = {
    allow_register: true,
    groups: {devs: ['bob']},
    users: [{username: 'bob', admin: false, password: 'h'}],
    packages: {users: {lib: {bob: ['read']}}, groups: {}},
  }
  const changed = (change: object) => JSON.stringify({...good, ...change})
  const whole = JSON.stringify(good)
  const bad: Record<string, string | Buffer> = {
    nothing: '',
    'white space': ' \n ',
    'no JSON': 'hello',
    'another JSON': '{"users": []}',
    'a list': '[]',
    'a number': '12',
    'an endless string': `{"allow_register": "${'x'.repeat(3_000_000)}`,
    'a cut-off one': whole.slice(0, -1),
    'one with more behind it': `${whole} {`,
    'one with text behind it': `${whole} "abc`,
    'a missing comma': whole.replace(',"groups"', ' "groups"'),
    'a comma too many': whole.replace('["bob"]', '["bob",]'),
    'a missing colon': whole.replace('"groups":', '"groups"'),
    'no UTF-8': Buffer.from(whole.replace('devs', 'd\u00e9vs'), 'latin1'),
    'a version of another generation': changed({version: '2.0.1'}),
    'a number for a version of another generation': changed({version: 7}),
    'no packages': changed({packages: undefined}),
    'no users of packages': changed({packages: {groups: {}}}),
    'another flag': changed({allow_register: 'yes'}),
    'groups as a list': changed({groups: []}),
    'a member that is no name': changed({groups: {devs: [1]}}),
    'users as an object': changed({users: {}}),
    'a user without name': changed({users: [{admin: false, password: 'h'}]}),
    'a user without password': changed({users: [{username: 'bob', admin: false}]}),
    'a flag that is text': changed({users: [{username: 'bob', admin: 'true', password: 'h'}]}),
    'a strange permission': changed({packages: {users: {lib: {bob: ['rw']}}, groups: {}}}),
    'permissions as text': changed({packages: {users: {lib: {bob: 'read'}}, groups: {}}}),
    'a key twice': whole.replace('"groups":', '"users":[],"groups":'),
    'a user twice': changed({users: [...good.users, ...good.users]}),
    'a rule twice': whole.replace('{"bob":["read"]}', '{"bob":["read"],"bob":["write"]}'),
    'a group twice': whole.replace('{"devs":["bob"]}', '{"devs":["bob"],"devs":[]}'),
    'deep nesting': whole.replace('{', `{"more": ${'['.repeat(100_000)},`),
    'a colon for a value': whole.replace('{', '{"more": :,'),
    'a cut-off gzip': gzipSync(whole).subarray(0, -9),
    'a gzip without trailer': gzipSync(whole).subarray(0, -1),
    'a gzip with a flipped bit': Buffer.from(gzipSync(whole)).fill(0xaa, 20, 22),
    'a gzip of nothing': gzipSync(''),
    'only the magic of gzip': Buffer.from([0x1f, 0x8b]),
  }
  it('changes nothing and says where', async () => {
    await using access = await openSql()
    for (const [title, data] of Object.entries(bad)) {
      await assert.rejects(importAccess(bytes(data), access), (error: Error & {code?: string}) => {
        assert.equal(error.code, 'PPC_INVALID_INPUT', `${title}: ${error.stack ?? ''}`)
        assert.match(error.message, /dump|gzip/, title)
        assert.ok(error.message.length < 400, title)
        return true
      })
    }
    assert.deepEqual(await parse(await dumpOf(access)), [{kind: 'registration', allowed: false}])
    const result = await importAccess(bytes(whole), access)
    assert.ok('report' in result && result.report.usersAdded === 1)
  })
  it('but for what it has more is taken, with a notice', async () => {
    const notices: string[] = []
    const more = {
      ...good,
      extra: {a: [1, {b: null}]},
      version: '1.99.dev0',
      users: [{...good.users[0], email: 'x'}],
    }
    const entries = await parse(JSON.stringify(more), notices)
    assert.deepEqual(entries, await parse(whole))
    assert.equal(notices.length, 2)
    assert.match(notices.join(), /email.*\.extra/)
  })
  it('is read the same in pieces of any size', async () => {
    const data = Buffer.from(JSON.stringify({...good, groups: {'dévs 🔑': ['bob']}}))
    const expected = await parse(data)
    for (const packed of [
      data,
      gzipSync(data),
      Buffer.concat([gzipSync(data.subarray(0, 9)), gzipSync(data.subarray(9))]),
    ]) {
      for (const size of [1, 2, 3, 7, 64]) {
        const pieces = Array.from({length: Math.ceil(packed.length / size)}, (_, index) =>
          packed.subarray(index * size, (index + 1) * size),
        )
        const entries: AclEntry[] = []
        for await (const entry of parseDump(Readable.from(pieces))) entries.push(entry)
        assert.deepEqual(entries, expected)
      }
    }
  })
})

describe('unpacking gzip', () => {
  const unpack = async (data: Buffer, withoutAddon: boolean): Promise<string> => {
    const find = withoutAddon ? () => Promise.resolve(undefined) : undefined
    const parts: Uint8Array[] = []
    for await (const part of unpackIfGzip(Readable.from([data]), find)) parts.push(part)
    return Buffer.concat(parts).toString('latin1')
  }
  const random = Buffer.from(
    Array.from({length: 20_000}, (_, index) => (index * index * 31 + (index >> 3) * 7) & 255),
  )
  const cases: Record<string, Buffer> = {
    'one member': gzipSync(random),
    'two equal small members': Buffer.concat([gzipSync('abc'), gzipSync('abc')]),
    'empty members': Buffer.concat([gzipSync(''), gzipSync(''), gzipSync('x')]),
    'large members': Buffer.concat([gzipSync(random), gzipSync(random)]),
    'zeros behind': Buffer.concat([gzipSync('abc'), Buffer.alloc(600)]),
    'well compressed': gzipSync(Buffer.alloc(10_000_000)),
    'stored blocks': gzipSync(random, {level: 0}),
  }
  for (const [title, data] of Object.entries(cases)) {
    it(`gives the same by both libraries: ${title}`, async () => {
      assert.equal(await unpack(data, false), await unpack(data, true))
    })
  }
  it('refuses garbage behind and damage, by both libraries', async () => {
    const broken = [
      Buffer.concat([gzipSync('abc'), Buffer.from('garbage')]),
      gzipSync(random).subarray(0, 100),
      Buffer.from(gzipSync(random)).fill(7, 200, 210),
      Buffer.concat([gzipSync(random).subarray(0, -6), Buffer.alloc(6, 7)]),
    ]
    for (const data of broken) {
      for (const withoutAddon of [false, true]) {
        await assert.rejects(unpack(data, withoutAddon), {code: 'PPC_INVALID_INPUT'})
      }
    }
  })
  it('never calls the add-on in the way that corrupts memory', async () => {
    const {execFileSync} = await import('node:child_process')
    const uses = execFileSync('grep', ['-rlE', 'zlib-sync', join(repoRoot, 'src'), '--include=*.ts'])
    assert.equal(uses.toString().trim(), join(repoRoot, 'src/lib/access/gunzip.ts'))
    const source = await readFile(join(repoRoot, 'src/lib/access/gunzip.ts'), 'utf8')
    assert.deepEqual(source.match(/\.push\([^)]*\)/g), [
      '.push(slice)',
      '.push(part, syncFlush)',
      '.push(end)',
    ])
  })
})

describe('an import that is killed', () => {
  it('leaves nothing half', async () => {
    const access = await openSql()
    await access[Symbol.asyncDispose]()
    const script = `
      import {Readable} from 'node:stream'
      const {openDatabase} = await import('${import.meta.resolve('../../src/lib/sql/database.js')}')
      const {loadEntries} = await import('${import.meta.resolve('../../src/lib/access/sql/load/load.js')}')
      const database = await openDatabase('sqlite:///${access.path}', {file: 'x', key: 'y'})
      async function* entries() {
        yield {kind: 'registration', allowed: true}
        for (let i = 0; i < 200000; i++) {
          yield {kind: 'user', username: 'user' + i, admin: i === 0, passwordHash: 'x'.repeat(100)}
          if (i % 10000 === 0) process.stdout.write('.')
        }
        process.stdout.write('merging')
      }
      await loadEntries(database, entries(), false)
      process.stdout.write('done')`
    for (const [until, more] of [
      ['.....', 0],
      ['merging', 50],
      ['merging', 300],
    ] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let seen = ''
      for await (const part of child.stdout) {
        seen += String(part)
        if (seen.includes(until)) break
      }
      await new Promise(resolve => setTimeout(resolve, more))
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      const again = await openSqlAt(access.path)
      const users = await again.listUsers()
      assert.ok(users.length === 0 || users.length === 200_000, `${users.length} users`)
      if (users.length === 0) assert.equal(await again.allowsRegistration(), false)
      await again[Symbol.asyncDispose]()
    }
  })
})
