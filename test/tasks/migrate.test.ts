import assert from 'node:assert/strict'
import {cp, mkdir, readFile, rm, symlink, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {LockHeld, UsageError} from '../../src/lib/errors.js'
import {Notes} from '../../src/lib/index/notes.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {migrateFiles} from '../../src/lib/tasks/migrate/migrate.js'
import {allDigestsAreRight, keysIn, packages, twoPlaces} from './migrate-places.js'

describe('Migrating files', () => {
  it('copies every file with its metadata and time, and nothing the second time', async () => {
    await using dir = await twoPlaces()
    const whl = 'open-lib/1.9/open_lib-1.9-py3-none-any.whl'
    await utimes(dir.join('old', whl), 1_700_000_000, 1_700_000_000)
    const report = await migrateFiles(dir.source, dir.target)
    assert.deepEqual([report.copied, report.skipped, report.failed, report.oddities], [14, 0, [], []])
    const copy = await dir.target.stat(whl)
    assert.equal(copy.modified.getTime(), 1_700_000_000_000)
    assert.deepEqual(await readFile(dir.join('new', whl)), await readFile(dir.join('old', whl)))
    assert.equal(
      await readFile(dir.join('new', `${whl}.meta`), 'utf8'),
      await readFile(dir.join('old', `${whl}.meta`), 'utf8'),
    )
    const again = await migrateFiles(dir.source, dir.target)
    assert.deepEqual([again.copied, again.skipped, again.bytes], [0, 14, 0])
  })

  it('says what a dry run would copy, and changes nothing', async () => {
    await using dir = await twoPlaces()
    const seen: string[] = []
    const report = await migrateFiles(dir.source, dir.target, {
      dryRun: true,
      onFile: step => seen.push(step.outcome),
    })
    assert.equal(report.copied, 14)
    assert.equal(seen.length, 14)
    for await (const entry of dir.target.list('')) assert.fail(entry.key)
  })

  it('never overwrites another file of that name, and copies the others', async () => {
    await using dir = await twoPlaces()
    await mkdir(dir.join('new/eggy/1.0'), {recursive: true})
    await writeFile(dir.join('new/eggy/1.0/eggy-1.0-py2.7.egg'), 'mine')
    const bad = dir.join('old/secret-lib/0.1/secret-lib-0.1.tar.gz')
    const size = (await readFile(bad)).length
    await rm(bad)
    await writeFile(bad, Buffer.alloc(size))
    const report = await migrateFiles(dir.source, dir.target)
    assert.equal(report.copied, 12)
    assert.deepEqual(
      report.failed.map(failure => failure.filename),
      ['eggy-1.0-py2.7.egg', 'secret-lib-0.1.tar.gz'],
    )
    assert.match(
      report.failed[0]!.reason,
      /another file of that name, of 4 instead of 556 bytes; it was kept/,
    )
    assert.match(report.failed[1]!.reason, /the source is damaged/)
    assert.equal(await readFile(dir.join('new/eggy/1.0/eggy-1.0-py2.7.egg'), 'utf8'), 'mine')
    await assert.rejects(dir.target.stat('secret-lib/0.1/secret-lib-0.1.tar.gz'))
  })

  it('compares bytes where no digest is recorded', async () => {
    await using dir = await twoPlaces()
    const egg = 'eggy/1.0/eggy-1.0-py2.7.egg'
    await migrateFiles(dir.source, dir.target)
    await rm(dir.join('new', `${egg}.meta`))
    await rm(dir.join('old', `${egg}.meta`))
    assert.equal((await migrateFiles(dir.source, dir.target)).skipped, 14)
    const bytes = await readFile(dir.join('new', egg))
    await rm(dir.join('new', egg))
    await writeFile(dir.join('new', egg), bytes.fill(0))
    assert.match((await migrateFiles(dir.source, dir.target)).failed[0]!.reason, /another SHA-256/)
  })

  it('does not copy a file that the target has in a directory of another spelling', async () => {
    await using dir = await twoPlaces()
    await cp(join(packages, 'foo-bar-baz'), dir.join('new/Foo.Bar_baz'), {recursive: true})
    const report = await migrateFiles(dir.source, dir.target)
    assert.deepEqual([report.copied, report.skipped], [11, 3])
  })

  it('refuses the same place, and one in the other, however they are spelt', async () => {
    await using dir = await twoPlaces()
    await symlink(dir.join('old'), dir.join('link'))
    for (const path of ['link', 'old/eggy', '.', 'link/../old']) {
      const other = await openDirectory(dir.join(path))
      await assert.rejects(migrateFiles(dir.source, other), UsageError, path)
      await assert.rejects(migrateFiles(other, dir.source), UsageError, path)
    }
  })

  it('carries the seals of deleted names', async () => {
    await using dir = await twoPlaces()
    await new Notes(dir.source).seal(['acme-core'])
    await new Notes(dir.target).seal(['acme-web'])
    await migrateFiles(dir.source, dir.target)
    assert.deepEqual([...(await new Notes(dir.target).sealed())].sort(), ['acme-core', 'acme-web'])
  })

  it('carries what other versions note of files, and keeps what the target notes itself', async () => {
    await using dir = await twoPlaces()
    const notes = (yanks: object) => JSON.stringify({version: 1, seals: {}, yanks, locks: {}})
    const yanksOf = async () => {
      const {text} = (await dir.target.notes!.read())!
      return (JSON.parse(text) as {yanks: unknown}).yanks
    }
    const [one, other] = ['eggy-1.0-py2.7.egg', 'secret-lib-0.1.tar.gz']
    await dir.source.notes!.write(notes({[one]: 'broken', [other]: 'leaked'}), undefined)
    await migrateFiles(dir.source, dir.target, {only: ['secret_lib']})
    assert.deepEqual(await yanksOf(), {[other]: 'leaked'})
    const {version} = (await dir.target.notes!.read())!
    await dir.target.notes!.write(notes({[other]: 'mine'}), version)
    await migrateFiles(dir.source, dir.target)
    assert.deepEqual(await yanksOf(), {[one]: 'broken', [other]: 'mine'})
    await migrateFiles(dir.source, dir.target, {strategy: 'overwrite'})
    assert.deepEqual(await yanksOf(), {[one]: 'broken', [other]: 'leaked'})
  })

  it('stops when it is told to, and goes on the next time', async () => {
    await using dir = await twoPlaces()
    const stop = new AbortController()
    let copied = 0
    const stopped = migrateFiles(dir.source, dir.target, {
      concurrency: 1,
      signal: stop.signal,
      onFile: () => (copied += 1) === 5 && stop.abort(new Error('interrupted')),
    })
    await assert.rejects(stopped, /interrupted/)
    const report = await migrateFiles(dir.source, dir.target)
    assert.deepEqual([report.copied, report.skipped, report.failed], [9, 5, []])
  })

  it('lets only one run work on a target, and names it to the second', async () => {
    await using dir = await twoPlaces()
    await cp(join(packages, 'eggy'), dir.join('new/surplus'), {recursive: true})
    const long = new Date(1_600_000_000_000)
    await utimes(dir.join('new/surplus/1.0/eggy-1.0-py2.7.egg'), long, long)
    const second = () => migrateFiles(dir.source, dir.target, {owner: 'the second'})
    const report = await migrateFiles(dir.source, dir.target, {
      owner: 'the first',
      strategy: 'mirror',
      confirmRemoval: async () => {
        await assert.rejects(
          second(),
          (error: unknown) =>
            error instanceof LockHeld && /is locked \("migrate"\) by the first/.test(error.message),
        )
        return true
      },
    })
    assert.deepEqual([report.copied, report.removed], [14, 1])
    assert.equal(await allDigestsAreRight(dir.join('new')), 14)
    assert.equal((await second()).skipped, 14)
  })

  it('stops when another run has taken its lock: touches nothing any more, and reports what it did', async () => {
    await using dir = await twoPlaces()
    const notes = new Notes(dir.target)
    let stolen: Promise<void> | undefined
    const report = await migrateFiles(dir.source, dir.target, {
      concurrency: 1,
      bytesPerSecond: 500, // so that there is much left
      onFile: () =>
        void (stolen ??= notes.changeLock('migrate', held => ({...(held as object), token: 'thief'}))),
    })
    await stolen
    assert.match(report.stopped?.reason ?? '', /another process has taken the lock "migrate"/)
    assert.equal(report.stopped?.exitCode, 5)
    const keys = await keysIn(dir.join('new'))
    assert.equal(keys.length, report.copied)
    assert.ok(report.copied < 14)
    assert.equal(await allDigestsAreRight(dir.join('new')), report.copied)
    assert.equal(((await notes.readLock('migrate')) as {token: string}).token, 'thief')
  })
})
