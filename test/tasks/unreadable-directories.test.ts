import assert from 'node:assert/strict'
import {chmod, mkdir, utimes, writeFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import {describe, it} from 'node:test'
import {binPath} from '../commands/tool.js'
import {runProgram} from '../support/run.js'
import {directory, installationOf, rowsOf, type Installation} from './rebuild-places.js'

/** For root too, who can otherwise read everything. */
const obeyingPermissions =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []

const run = (index: Installation, name: string, ...args: string[]) => {
  const [program = '', ...rest] = [...obeyingPermissions, process.execPath, binPath(name), ...args]
  return runProgram(program, rest, {cwd: index.dir.path})
}

async function install(): Promise<Installation> {
  const index = await installationOf(
    {'db.url': 'sqlite:///%(here)s/cache.db'},
    (await directory.start()).fresh(),
  )
  for (const project of ['open', 'closed']) await index.put(project, '1')
  return index
}
const closed = (index: Installation) => index.dir.join('packages/closed')

describe('A directory of a project that can not be read', () => {
  it('keeps its rows and the cache from being called complete, and ends ppc-rebuild-cache with 3', async () => {
    await using index = await install()
    await chmod(closed(index), 0)
    try {
      const first = await run(index, 'ppc-rebuild-cache', 'server.ini', '--json')
      const {added, unread, complete} = JSON.parse(first.stdout) as Record<string, unknown>
      assert.deepEqual([first.code, added, unread, complete], [3, 1, 1, false])
      await chmod(closed(index), 0o755)
      await run(index, 'ppc-rebuild-cache', 'server.ini', '--quiet')
      const rows = await rowsOf(index.cache)
      assert.equal(Object.keys(rows).length, 2)
      await chmod(closed(index), 0)
      for (const args of [['--quiet'], ['--full', '--quiet'], ['--project', 'closed', '--quiet']]) {
        const {code, stderr} = await run(index, 'ppc-rebuild-cache', 'server.ini', ...args)
        assert.equal(code, 3)
        assert.match(stderr, /^could not be read: closed.*: permission denied$/m)
        assert.deepEqual(await rowsOf(index.cache), rows)
      }
      const verified = await run(index, 'ppc', 'verify', 'server.ini', '--repair', '--quiet')
      assert.equal(verified.code, 4)
      assert.match(verified.stderr, /^unreadable: closed can't be read: permission denied$/m)
      assert.deepEqual(await rowsOf(index.cache), rows)
    } finally {
      await chmod(closed(index), 0o755)
    }
  })

  it('counts as failed in a migration, which copies the rest', async () => {
    await using index = await install()
    const lines = ['pypi.storage = file', 'storage.dir = %(here)s/new', 'db.url = sqlite:///%(here)s/new.db']
    await writeFile(index.dir.join('new.ini'), `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
    await chmod(closed(index), 0)
    try {
      for (const [args, code, copied] of [
        [['--dry-run'], 3, 1],
        [[], 3, 1],
        [['--only', 'open'], 0, 0],
      ] as const) {
        const done = await run(index, 'ppc-migrate', 'server.ini', 'new.ini', '--json', ...args)
        const report = JSON.parse(done.stdout) as {copied: number; failed: {filename: string}[]}
        const failed = code === 0 ? [] : ['closed']
        assert.deepEqual(
          [done.code, report.copied, report.failed.map(({filename}) => filename)],
          [code, copied, failed],
        )
      }
    } finally {
      await chmod(closed(index), 0o755)
    }
  })
})

describe('Files of the target that can not be read', () => {
  it('are what --strategy fail names, however many they are', async () => {
    await using index = await install()
    const lines = ['pypi.storage = file', 'storage.dir = %(here)s/new', 'db.url = sqlite:///%(here)s/new.db']
    await writeFile(index.dir.join('new.ini'), `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
    for (let version = 1; version <= 60; version += 1) {
      await index.put('open', `${version}`)
      const there = index.dir.join(`new/open/${version}/open-${version}.tar.gz`)
      await mkdir(dirname(there), {recursive: true})
      await writeFile(there, `open ${version}`, {mode: 0})
      await utimes(there, 1_600_000_000, 1_600_000_000)
    }
    const {code, stderr} = await run(index, 'ppc-migrate', 'server.ini', 'new.ini', '--strategy', 'fail')
    assert.match(stderr, /^ppc-migrate: nothing was copied, because of .*permission denied.* more$/m)
    assert.equal(code, 1)
  })
})
