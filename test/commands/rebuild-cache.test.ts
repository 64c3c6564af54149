import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {rm, writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {needs} from '../support/needs.js'
import {
  cacheEqualsStorage,
  cachePlaces,
  directory,
  installationOf,
  type Installation,
  type StartedPlace,
} from '../tasks/rebuild-places.js'
import {binPath, tool} from './tool.js'

interface Report {
  readonly mode: string
  readonly added: number
  readonly updated: number
  readonly removed: number
  readonly unchanged: number
  readonly complete: boolean
}
const json = (text: string) => JSON.parse(text) as Report

for (const place of cachePlaces) {
  describe(`ppc-rebuild-cache with ${place.name}`, needs(...place.needs), () => {
    let caches: StartedPlace
    before(async () => {
      caches = await place.start()
    })
    after(() => caches[Symbol.asyncDispose]())
    const install = async () => installationOf(caches.fresh(), (await directory.start()).fresh())
    const run = ({dir}: Installation, args: string) => tool(dir.path, `ppc-rebuild-cache server.ini ${args}`)

    it('runs from cron: without a terminal, a home, a PATH, and silent when all is well', async () => {
      await using index = await install()
      await index.put('foo', '1')
      const {status, stdout, stderr} = spawnSync(
        process.execPath,
        [binPath('ppc-rebuild-cache'), index.configPath, '--quiet'],
        {cwd: '/', env: {}, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8'},
      )
      assert.deepEqual({status, stdout, stderr}, {status: 0, stdout: '', stderr: ''})
      assert.equal(await cacheEqualsStorage(index), 1)
    })

    it('exits with 5 and names who is at it, unless it may wait', async () => {
      await using index = await install()
      await index.put('foo', '1')
      const lock = await index.cache.acquireLock('rebuild', {owner: 'cron on host-b, process 7'})
      const refused = await run(index, '--quiet')
      assert.equal(refused.code, 5)
      assert.match(refused.stderr, /^ppc-rebuild-cache: [^\n]*held by cron on host-b, process 7[^\n]*\n/)
      assert.equal(await index.cache.countFiles(), 0)
      const waiting = run(index, '--wait 60 --json')
      await lock[Symbol.asyncDispose]()
      assert.equal(json((await waiting).stdout).added, 1)
    })

    it('fills it from another cache with --from-cache, where the storage is out of reach', async () => {
      await using index = await install()
      await using old = await installationOf({
        'db.url': 'sqlite:///%(here)s/cache.db',
        'storage.dir': index.dir.join('packages'),
      })
      for (const version of ['1', '2']) await index.put('foo', version)
      await tool(old.dir.path, 'ppc-rebuild-cache server.ini -q')
      await rm(index.dir.join('packages'), {recursive: true})
      const dry = await run(index, `--from-cache ${old.configPath} --dry-run --exit-code`)
      assert.equal(dry.code, 4)
      assert.match(dry.stderr, /would be added: foo-1\.tar\.gz\n/)
      const {code, stdout} = await run(index, `--from-cache ${old.configPath} --json`)
      const {added, complete} = json(stdout)
      assert.deepEqual({code, added, complete}, {code: 0, added: 2, complete: true})
      assert.match(
        (await run(index, `--from-cache ${old.configPath}`)).stderr,
        /0 added, 0 updated; 2 unchanged/,
      )
    })
  })
}

describe('ppc-rebuild-cache', () => {
  const install = async () =>
    installationOf({'db.url': 'sqlite:///%(here)s/cache.db'}, (await directory.start()).fresh())
  const run = ({dir}: Installation, args: string) => tool(dir.path, `ppc-rebuild-cache server.ini ${args}`)

  it('says in one line of JSON which kind of rebuild it was and what it did', async () => {
    await using index = await install()
    for (const project of ['foo', 'bar']) await index.put(project, '1')
    const one = json((await run(index, '--project Foo --json')).stdout)
    assert.deepEqual([one.mode, one.added, one.complete], ['incremental', 1, false])
    const whole = json((await run(index, '--full --graceful --json')).stdout)
    assert.deepEqual([whole.mode, whole.added, whole.unchanged, whole.complete], ['full', 1, 1, true])
    const two = await run(index, '--project foo --project bar --json')
    assert.match(two.stdout, /^[^\n]+\n$/)
    assert.deepEqual([json(two.stdout).unchanged, json(two.stdout).complete], [2, true])
  })

  it('refuses what excludes each other with 2', async () => {
    await using index = await install()
    for (const args of ['--full --incremental', '--from-cache server.ini --full', '--concurrency 0']) {
      assert.equal((await run(index, args)).code, 2, args)
    }
    const self = await run(index, '--from-cache server.ini')
    assert.equal(self.code, 2)
    assert.match(self.stderr, /are the same cache/)
  })

  it('exits with 75 while the cache can not be reached', async () => {
    await using index = await install()
    const lines = ['pypi.storage = file', 'storage.dir = %(here)s/packages', 'pypi.db = redis']
    await writeFile(
      index.dir.join('away.ini'),
      `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\ndb.url = redis://127.0.0.1:9\n`,
    )
    const {code, stderr} = await tool(index.dir.path, 'ppc-rebuild-cache away.ini --quiet')
    assert.equal(code, 75)
    assert.match(stderr, /^ppc-rebuild-cache: [^\n]+\n/)
  })
})
