import assert from 'node:assert/strict'
import {chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {Conflict, UsageError} from '../../src/lib/errors.js'
import {Notes} from '../../src/lib/index/notes.js'
import {migrateFiles, type PlannedRemoval} from '../../src/lib/tasks/migrate/migrate.js'
import {allDigestsAreRight, keysIn, twoPlaces} from './migrate-places.js'

const egg = 'eggy/1.0/eggy-1.0-py2.7.egg'
const old = new Date('2020-05-05T05:05:05Z')

type Places = Awaited<ReturnType<typeof twoPlaces>>

/** Puts a file with other bytes into one of the two. */
async function putEgg(dir: Places, where: 'old' | 'new', text: string, uploadTime?: string) {
  await mkdir(dir.join(where, 'eggy/1.0'), {recursive: true})
  await writeFile(dir.join(where, egg), text)
  const meta = uploadTime === undefined ? {} : {upload_time: uploadTime}
  await writeFile(dir.join(where, `${egg}.meta`), JSON.stringify(meta))
}
/** A file that only the target has, and had long before. */
async function putSurplus(dir: Places, key = 'gone/1.0/gone-1.0.zip') {
  await mkdir(dir.join('new', key, '..'), {recursive: true})
  await writeFile(dir.join('new', key), 'surplus')
  await utimes(dir.join('new', key), old, old)
}
const eggOf = (dir: Places) => readFile(dir.join('new', egg), 'utf8')

describe('A migration of files that the target has with other bytes', () => {
  it('replaces them with overwrite, with their metadata', async () => {
    await using dir = await twoPlaces()
    await putEgg(dir, 'new', 'other')
    const report = await migrateFiles(dir.source, dir.target, {strategy: 'overwrite'})
    assert.deepEqual([report.copied, report.replaced, report.failed], [14, 1, []])
    assert.deepEqual(report.replacedFiles, ['eggy-1.0-py2.7.egg'])
    assert.equal(await allDigestsAreRight(dir.join('new')), 14)
  })

  it('takes the later upload with newer, and keeps and names what has no time', async () => {
    await using dir = await twoPlaces()
    await putEgg(dir, 'old', 'early', '2024-01-01T00:00:00Z')
    await putEgg(dir, 'new', 'late', '2025-01-01T00:00:00Z')
    const kept = await migrateFiles(dir.source, dir.target, {strategy: 'newer'})
    assert.deepEqual([kept.kept, kept.failed, await eggOf(dir)], [1, [], 'late'])
    await putEgg(dir, 'old', 'latest', '2026-01-01T00:00:00Z')
    const taken = await migrateFiles(dir.source, dir.target, {strategy: 'newer'})
    assert.deepEqual([taken.replaced, await eggOf(dir)], [1, 'latest'])
    await putEgg(dir, 'old', 'unknown')
    const undecided = await migrateFiles(dir.source, dir.target, {strategy: 'newer'})
    assert.match(undecided.failed[0]!.reason, /no upload time is recorded in the source/)
    assert.equal(await eggOf(dir), 'latest')
  })

  it('copies nothing at all with fail', async () => {
    await using dir = await twoPlaces()
    await putEgg(dir, 'new', 'other')
    await assert.rejects(
      migrateFiles(dir.source, dir.target, {strategy: 'fail'}),
      (error: unknown) => error instanceof Conflict && /nothing was copied.*eggy-1\.0/.test(error.message),
    )
    assert.deepEqual(await keysIn(dir.join('new')), [egg])
    await putEgg(dir, 'old', 'other')
    assert.equal((await migrateFiles(dir.source, dir.target, {strategy: 'fail'})).copied, 13)
  })
})

describe('A mirror', () => {
  it('removes what the source lacks, and seals names that lose their last file', async () => {
    await using dir = await twoPlaces()
    await putSurplus(dir)
    await putSurplus(dir, 'eggy/0.9/eggy-0.9.zip')
    const asked: PlannedRemoval[] = []
    const confirmRemoval = (removal: PlannedRemoval) => Promise.resolve(asked.push(removal) > 1)
    const no = await migrateFiles(dir.source, dir.target, {strategy: 'mirror', confirmRemoval})
    assert.deepEqual([no.declined, no.copied, (await keysIn(dir.join('new'))).length], [true, 0, 2])
    assert.deepEqual(
      [asked[0]?.files, asked[0]?.of, asked[0]?.isLarge, asked[0]?.examples],
      [2, 2, true, ['eggy-0.9.zip', 'gone-1.0.zip']],
    )
    const report = await migrateFiles(dir.source, dir.target, {strategy: 'mirror', confirmRemoval})
    assert.deepEqual([report.removed, report.sealed], [2, ['gone']])
    assert.deepEqual([...(await new Notes(dir.target).sealed())], ['gone'])
    assert.deepEqual(await keysIn(dir.join('new')), await keysIn(dir.join('old')))
  })

  it('keeps what is younger than its start, and what lies outside of --only', async () => {
    await using dir = await twoPlaces()
    await putSurplus(dir)
    await putSurplus(dir, 'eggy/0.9/eggy-0.9.zip')
    const young = new Date(Date.now() + 60_000)
    await utimes(dir.join('new/eggy/0.9/eggy-0.9.zip'), young, young)
    const report = await migrateFiles(dir.source, dir.target, {strategy: 'mirror', only: ['Eggy']})
    assert.deepEqual([report.copied, report.removed], [1, 0])
    const keys = await keysIn(dir.join('new'))
    assert.deepEqual(keys, ['eggy/0.9/eggy-0.9.zip', egg, 'gone/1.0/gone-1.0.zip'])
  })

  it('removes nothing when the source is empty, some files failed, or may lie where it can not read', async () => {
    await using dir = await twoPlaces()
    await putSurplus(dir)
    await writeFile(dir.join('old', `${egg}.meta`), JSON.stringify({hash_sha256: 'ab'.repeat(32)}))
    const failed = await migrateFiles(dir.source, dir.target, {strategy: 'mirror'})
    assert.deepEqual([failed.failedCount, failed.removed], [1, 0])
    assert.match(failed.warnings[0]!, /nothing was removed from .*: some files failed/)
    await rm(dir.join('old'), {recursive: true})
    await mkdir(dir.join('old'))
    const empty = await migrateFiles(dir.source, dir.target, {strategy: 'mirror'})
    assert.match(empty.warnings[0]!, /lists no file at all/)
    await mkdir(dir.join('old/some/1.0'), {recursive: true})
    await writeFile(dir.join('old/some/1.0/some-1.0.zip'), 'x')
    await symlink('/nowhere', dir.join('old/gone'))
    await migrateFiles(dir.source, dir.target, {strategy: 'mirror'})
    assert.ok((await keysIn(dir.join('new'))).includes('gone/1.0/gone-1.0.zip'))
  })
})

describe('Deleting the source', () => {
  it('takes away only what the target has by its bytes, and seals the names', async () => {
    await using dir = await twoPlaces()
    await migrateFiles(dir.source, dir.target)
    const key = 'secret-lib/0.1/secret-lib-0.1.tar.gz'
    const {size} = await stat(dir.join('new', key))
    await writeFile(dir.join('new', key), Buffer.alloc(size)) // damaged there, behind its digest
    await putEgg(dir, 'new', 'other')
    const report = await migrateFiles(dir.source, dir.target, {deleteSource: true})
    assert.deepEqual(await keysIn(dir.join('old')), [egg, key])
    assert.equal(report.removedFromSource, 12)
    assert.deepEqual([...(await new Notes(dir.source).sealed())].sort(), [
      'adminonly',
      'foo-bar-baz',
      'open-lib',
      'private-tool',
    ])
  })

  it('keeps what the target only has links to', async () => {
    for (const made of ['links', 'linked directories']) {
      await using dir = await twoPlaces()
      if (made === 'links') await migrateFiles(dir.source, dir.target, {link: 'symlink'})
      else
        for (const name of await readdir(dir.join('old')))
          await symlink(`../old/${name}`, dir.join('new', name))
      const report = await migrateFiles(dir.source, dir.target, {deleteSource: true})
      assert.deepEqual([report.removedFromSource, report.failedCount, report.sealed], [0, 14, []], made)
      assert.match(report.failed[0]!.reason, /was not removed: .*new has only a link to it/)
      assert.equal(await allDigestsAreRight(dir.join('old')), 14)
      await migrateFiles(dir.source, dir.target, {link: 'hard', strategy: 'overwrite'})
      if (made === 'linked directories') continue
      assert.equal((await migrateFiles(dir.source, dir.target, {deleteSource: true})).removedFromSource, 14)
      assert.equal(await allDigestsAreRight(dir.join('new')), 14)
    }
  })

  it('is only told of by a dry run', async () => {
    await using dir = await twoPlaces()
    await putEgg(dir, 'new', 'other')
    const report = await migrateFiles(dir.source, dir.target, {deleteSource: true, dryRun: true})
    assert.deepEqual([report.removedFromSource, report.failedCount], [13, 1])
    assert.equal((await keysIn(dir.join('old'))).length, 14)
  })

  it('is refused with symbolic links to it', async () => {
    await using dir = await twoPlaces()
    await assert.rejects(
      migrateFiles(dir.source, dir.target, {deleteSource: true, link: 'symlink'}),
      UsageError,
    )
  })
})

describe('A part of the files', () => {
  it('is chosen by project in any spelling, and by time', async () => {
    await using dir = await twoPlaces()
    const report = await migrateFiles(dir.source, dir.target, {only: ['Open_Lib', 'nothing-here']})
    assert.equal(report.copied, 6)
    assert.match(report.warnings[0]!, /has no file of nothing-here/)
    for (const key of await keysIn(dir.join('old'))) await utimes(dir.join('old', key), old, old)
    await putEgg(dir, 'old', 'egg', new Date().toISOString())
    const recent = await migrateFiles(dir.source, dir.target, {since: new Date(Date.now() - 3_600_000)})
    assert.deepEqual([recent.copied, recent.skipped], [1, 0])
  })
})

describe('Verifying only', () => {
  it('reads every byte, changes nothing, and names what is missing, other or damaged', async () => {
    await using dir = await twoPlaces()
    await migrateFiles(dir.source, dir.target)
    await rm(dir.join('new', egg))
    const key = 'secret-lib/0.1/secret-lib-0.1.tar.gz'
    await writeFile(dir.join('new', key), Buffer.alloc((await stat(dir.join('new', key))).size))
    const report = await migrateFiles(dir.source, dir.target, {verifyOnly: true})
    assert.equal(report.verified, 12)
    assert.deepEqual(
      report.failed.map(({filename}) => filename),
      ['eggy-1.0-py2.7.egg', 'secret-lib-0.1.tar.gz'],
    )
    assert.match(report.failed[0]!.reason, /the target lacks it/)
    assert.match(report.failed[1]!.reason, /damaged/)
    assert.equal((await keysIn(dir.join('new'))).length, 13)
  })
})

describe('Links between directories', () => {
  it('are made, found again, and fall back to copies', async () => {
    for (const link of ['hard', 'symlink', 'reflink'] as const) {
      await using dir = await twoPlaces()
      const report = await migrateFiles(dir.source, dir.target, {link})
      assert.deepEqual([report.copied, report.failed], [14, []], link)
      if (link !== 'reflink') assert.deepEqual(report.warnings, [], link)
      const [there, here] = [await lstat(dir.join('new', egg)), await lstat(dir.join('old', egg))]
      assert.equal(there.isSymbolicLink(), link === 'symlink')
      assert.equal(there.ino === here.ino, link === 'hard')
      assert.equal((await lstat(dir.join('new', `${egg}.meta`))).nlink, 1)
      assert.deepEqual((await dir.target.stat(egg)).modified, (await dir.source.stat(egg)).modified)
      assert.equal(await allDigestsAreRight(dir.join('new')), 14)
      const again = await migrateFiles(dir.source, dir.target, {link})
      assert.deepEqual([again.copied, again.skipped, again.failed], [0, 14, []], link)
    }
  })

  it('fail by name where the file is there and is no link', async () => {
    await using dir = await twoPlaces()
    await migrateFiles(dir.source, dir.target, {only: ['eggy']})
    const report = await migrateFiles(dir.source, dir.target, {link: 'hard'})
    assert.equal(report.copied, 13)
    assert.match(report.failed[0]!.reason, /eggy-1\.0-py2\.7\.egg is already stored and is no such link/)
  })

  it('never replace the file that they lead to', async () => {
    for (const link of ['hard', 'symlink', 'reflink'] as const) {
      await using dir = await twoPlaces()
      await migrateFiles(dir.source, dir.target, {link: 'symlink'})
      const back = await migrateFiles(dir.target, dir.source, {link, strategy: 'overwrite'})
      assert.deepEqual([back.copied, back.skipped, back.failed], [0, 14, []], link)
      assert.equal(await allDigestsAreRight(dir.join('old')), 14)
    }
  })

  it('leave the source as it was when a migrated link is deleted', async () => {
    await using dir = await twoPlaces()
    await chmod(dir.join('old', egg), 0o644)
    await migrateFiles(dir.source, dir.target, {link: 'symlink'})
    await dir.target.delete(egg)
    assert.equal(await allDigestsAreRight(dir.join('old')), 14)
  })
})
