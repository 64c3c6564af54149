import assert from 'node:assert/strict'
import {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {formatDump} from '../../src/lib/access/dump/dump.js'
import {anonymous} from '../../src/lib/access/identity.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {openBackends} from '../../src/lib/backends.js'
import {importAccess} from '../../src/lib/tasks/import-access.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {runOriginalPython} from '../support/original.js'
import {repoRoot} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'

const script = `${repoRoot}/test/access/odd-database.py`
const projects = ['tool', 'nulls', 'shut', 'stale', 'grouped', 'for-all', 'constructor', 'free']
type Answers = Readonly<Record<string, string>>
/** A database, as pypicloud and as we name it. */
interface Place {
  readonly theirs: string
  readonly ours: string
}

for (const kind of ['sqlite', 'postgresql', 'mariadb'] as const) {
  const needed = needs('pypicloud', ...(kind === 'sqlite' ? [] : [kind]))
  describe(`a database on ${kind} that pypicloud filled with odd things`, needed, () => {
    const running: AsyncDisposable[] = []
    let dir: Awaited<ReturnType<typeof tempDir>>
    let first: Place
    let second: Place
    let passwords: Readonly<Record<string, string>>
    let theirs: Answers

    const original = async (mode: 'fill' | 'ask', {theirs}: Place): Promise<Answers> => {
      const input = mode === 'ask' ? {input: JSON.stringify({passwords, projects})} : {}
      const {code, stdout, stderr} = await runOriginalPython(script, [mode, theirs], {
        cwd: dir.path,
        ...input,
      })
      assert.equal(code, 0, stderr)
      return JSON.parse(stdout) as Answers
    }
    const openAt = async ({ours}: Place) => {
      const config = await configWith(dir.path, {
        'storage.dir': 'x',
        'db.url': 'sqlite://',
        'pypi.auth': 'sql',
        'auth.db.url': ours,
        'pypi.default_read': 'authenticated TEAM',
        'pypi.default_write': 'Größe🔑',
      })
      return {config, backends: await openBackends(config, ['access'])}
    }
    /** What pypicloud was asked, of ours. */
    const answersOf = async (place: Place): Promise<Answers> => {
      const {config, backends} = await openAt(place)
      await using open = backends
      const policy = new AccessPolicy(open.access, config)
      const answers: [name: string, rights: string][] = []
      for (const [name, password] of [['', undefined] as const, ...Object.entries(passwords)]) {
        const identity = password === undefined ? anonymous : await policy.authenticate(name, password)
        const rights = projects.map(async project => {
          const may = async (permission: 'read' | 'write') =>
            identity && policy.can(identity, project, permission)
          return `${project}:${(await may('read')) ? 'r' : ''}${(await may('write')) ? 'w' : ''}`
        })
        answers.push([name, identity ? (await Promise.all(rights)).join(' ') : 'stays outside'])
      }
      return Object.fromEntries(answers)
    }
    const dumpOf = async (place: Place): Promise<string> => {
      await using open = (await openAt(place)).backends
      return await text(formatDump(open.access))
    }

    before(async () => {
      dir = await tempDir()
      running.push(dir)
      if (kind === 'sqlite') {
        const at = (name: string) => ({
          theirs: `sqlite:///${dir.join(name)}`,
          ours: `sqlite:///${dir.join(name)}`,
        })
        ;[first, second] = [at('one.db'), at('two.db')]
      } else {
        const server = await startService(kind)
        running.push(server)
        const driver = kind === 'mariadb' ? 'mysql+pymysql' : 'postgresql+psycopg2'
        const at = (url: string) => ({
          theirs: url.replace(/^\w+/, driver) + (kind === 'mariadb' ? '?charset=utf8mb4' : ''),
          ours: url,
        })
        ;[first, second] = [at(server.url), at(await server.createDatabase())]
      }
      passwords = await original('fill', first)
      theirs = await original('ask', first)
    })
    after(async () => {
      for (const each of running.reverse()) await each[Symbol.asyncDispose]()
    })

    it('lets in whom it lets in there, with the same rights', async () => {
      assert.ok(Object.values(theirs).filter(rights => rights !== 'stays outside').length >= 13)
      for (const name of ['gone', 'pending 1', 'plain', 'md5', 'empty']) {
        assert.equal(theirs[name], 'stays outside', name)
      }
      assert.deepEqual(await answersOf(first), theirs)
    })
    it('moves with all that is in it, and goes back to pypicloud', async () => {
      const dump = await dumpOf(first)
      {
        await using target = (await openAt(second)).backends
        const result = await importAccess(Readable.from([Buffer.from(dump)]), target.access)
        assert.ok('report' in result)
        assert.match(result.report.notices.join('\n'), /"a:b"/)
        assert.deepEqual(JSON.parse(await text(formatDump(target.access))), JSON.parse(dump))
      }
      // what only rules of the deleted kept shut is open to the default groups, as after pypicloud's own export
      const withoutStale = (answers: Answers) =>
        Object.entries(answers)
          .map(([name, rights]) => [name, rights.replace(/stale:\w*/, '')])
          .sort()
      assert.deepEqual(withoutStale(await answersOf(second)), withoutStale(theirs))
      assert.deepEqual(withoutStale(await original('ask', second)), withoutStale(theirs))
    })
  })
}
