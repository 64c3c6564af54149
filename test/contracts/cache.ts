import assert from 'node:assert/strict'
import {fork, type ChildProcess} from 'node:child_process'
import {randomUUID} from 'node:crypto'
import {once} from 'node:events'
import {after, before, describe, it, mock} from 'node:test'
import {fileURLToPath} from 'node:url'
import type {Cache, Lock, SearchCriteria} from '../../src/lib/cache/cache.js'
import {keepNewest, matches, type Searchable} from '../../src/lib/cache/search.js'
import {LockHeld, LockLost} from '../../src/lib/errors.js'
import type {DistFile, DistFileData} from '../../src/lib/packaging/dist-file.js'
import type {CacheJob} from './cache-worker.js'

const hourMs = 3_600_000

/** How another process opens the cache under test: `module` (a URL) exports `open(argument): Promise<Cache>`. */
export interface Elsewhere {
  readonly module: string
  readonly argument: string
}

/**
 * The laws every Cache keeps, on the real service, which may hold other rows too. `open` is called several times and
 * must reach the same cache each time. `excused` maps a law to the reason why it cannot hold; `elsewhere` is asked
 * after the first `open`, and without it the laws about several processes are skipped. `many` files, a multiple of 100,
 * are listed, and several processes write `rounds` times: less where a server of the tests is far slower than the service
 * it stands for. With `wholeSeconds`, that is all that the cache keeps of a time.
 */
export function describeCache(
  name: string,
  open: () => Promise<Cache>,
  excused: Readonly<Record<string, string>> = {},
  elsewhere?: () => Elsewhere,
  {
    many = 10_000,
    rounds = 50,
    wholeSeconds = false,
  }: {readonly many?: number; readonly rounds?: number; readonly wholeSeconds?: boolean} = {},
): void {
  describe(`${name} is a Cache`, () => {
    const run = randomUUID().slice(0, 8) // so that runs can share a server
    let cache: Cache
    let other: Cache
    before(async () => {
      cache = await open()
      other = await open()
    })
    after(async () => {
      const ours: DistFile[] = []
      for await (const file of cache.listAllFiles()) if (file.name.startsWith(run)) ours.push(file)
      await cache.remove(ours)
      await other[Symbol.asyncDispose]()
      await cache[Symbol.asyncDispose]()
      await cache[Symbol.asyncDispose]() // closing twice is no failure
    })
    const law = (title: string, check: () => Promise<void>) =>
      it(title, {skip: excused[title] ?? false}, check)
    const acrossProcesses = (title: string, check: (place: Elsewhere) => Promise<void>) =>
      it(title, {skip: excused[title] ?? (elsewhere ? false : 'one process only')}, async () => {
        if (elsewhere) await check(elsewhere())
      })
    const project = (title: string) => `${run}-${title}`
    const file = (title: string, version: string, more: Partial<DistFile> = {}): DistFile => ({
      filename: `${project(title)}-${version}.tar.gz`,
      name: project(title),
      version,
      lastModified: new Date(`2026-11-20T23:09:52.${wholeSeconds ? '000' : '673'}Z`),
      summary: null,
      data: {},
      ...more,
    })

    law('gives back what was saved', async () => {
      const odd = file('whole', '1.0+local.7', {
        summary: 'Bibliothèque\nouverte — 開かれた 🎉 "quoted" \\ %_',
        data: {requires_python: '>=3,<4', hash_sha256: 'ab'.repeat(32), size: 4_294_967_296, mystery: 'kept'},
      })
      assert.deepEqual(await cache.save([odd]), [odd])
      assert.deepEqual(await cache.findFile(odd.filename), odd)
      assert.deepEqual(await cache.listFiles(odd.name), [odd])
      assert.equal(await cache.findFile('no-such-file-1.0.zip'), undefined)
      assert.deepEqual(await cache.listFiles(project('no-such-project')), [])
    })
    law('drops empty members and empty summaries', async () => {
      const data = {uploader: '', requires_python: '>=3', other: undefined} as unknown as DistFileData
      await cache.save([file('falsy', '1', {summary: '', data})])
      const found = await cache.findFile(file('falsy', '1').filename)
      assert.equal(found?.summary, null)
      assert.deepEqual(found.data, {requires_python: '>=3'})
    })
    law('replaces the row of a file name, and tells upper from lower case', async () => {
      const [upper, lower] = ['Case-1.zip', 'case-1.zip'].map(end =>
        file('case', '1', {filename: `${run}${end}`}),
      )
      await cache.save([upper!, lower!])
      await cache.save([{...lower!, summary: 'new'}])
      assert.equal((await cache.findFile(upper!.filename))?.summary, null)
      assert.equal((await cache.findFile(lower!.filename))?.summary, 'new')
      const found = await cache.findFiles([upper!.filename, lower!.filename, 'nothing-1.zip'])
      assert.deepEqual([...found.keys()].sort(), [upper!.filename, lower!.filename].sort())
    })
    law('keeps odd names apart', async () => {
      const names = ["it's", '__proto__', 'constructor', 'ünï-ç', 'a b', '100%', 'x_y', '🎉', 'a"b', '日本']
      const files = names.map(end =>
        file('odd', '1', {filename: `${run}-${end}-1.zip`, name: project(`odd-${end}`)}),
      )
      await cache.save(files)
      for (const each of files) {
        assert.deepEqual(await cache.findFile(each.filename), each)
        assert.deepEqual(await cache.listFiles(each.name), [each])
      }
      const listed = (await cache.listProjects()).filter(each => each.startsWith(project('odd-')))
      assert.deepEqual(listed, files.map(each => each.name).sort(byCodePoint))
    })
    law('lists and counts thousands of files in order', async () => {
      const already = await cache.countFiles()
      const files = Array.from({length: many}, (_, i) =>
        file('many', String(i), {name: project(`many-${i % 100}`)}),
      )
      await cache.save(files)
      assert.equal(await cache.countFiles(), already + many)
      const listed: string[] = []
      for await (const each of cache.listAllFiles()) listed.push(each.filename)
      assert.deepEqual(listed, [...listed].sort(byCodePoint))
      assert.equal(listed.filter(each => each.startsWith(project('many'))).length, many)
      if (cache.listFilenames) {
        const names: string[] = []
        for await (const each of cache.listFilenames()) names.push(each)
        assert.deepEqual(names.sort(byCodePoint), listed)
      }
      assert.equal((await cache.findFiles(files.map(({filename}) => filename))).size, many)
      assert.equal((await cache.listFiles(project('many-7'))).length, many / 100)
      const {removed, emptied} = await cache.remove(files)
      assert.equal(removed.length, many)
      assert.equal(emptied.length, 100)
    })
    law('lists a project of hundreds of files as it is after each change', async () => {
      const large = (version: number, more?: Partial<DistFile>) => file('large', `1.${version}`, more)
      const wanted = new Map<string, DistFile>()
      const check = async () => {
        for (const each of [cache, other]) {
          const listed = await each.listFiles(project('large'))
          assert.deepEqual(new Map(listed.map(found => [found.filename, found])), wanted)
        }
      }
      const save = async (by: Cache, ...files: DistFile[]) => {
        for (const saved of await by.save(files)) wanted.set(saved.filename, saved)
        await check()
      }
      const remove = async (by: Cache, ...files: DistFile[]) => {
        for (const {filename} of (await by.remove(files)).removed) wanted.delete(filename)
        await check()
      }
      await save(
        cache,
        ...Array.from({length: 600}, (_, version) => large(version, {data: {size: version + 1}})),
      )
      await save(other, large(17, {summary: 'changed'}), large(600))
      await save(cache, large(18, {data: {hash_sha256: 'ab'}}), large(600, {version: 'another'}))
      await save(cache, large(19, {lastModified: new Date('2026-11-21T00:00:00Z')}))
      await remove(other, large(300), large(301))
      await save(cache, large(300))
      await remove(cache, ...wanted.values())
      await save(other, large(1))
    })
    law('shows the newest upload of each project in summaries', async () => {
      await cache.save([
        file('summed', '2.0', {lastModified: new Date('2026-01-01T00:00:00Z'), summary: 'older upload'}),
        file('summed', '1.0', {lastModified: new Date('2026-02-01T00:00:00Z'), summary: 'newer upload'}),
      ])
      const summaries = await cache.listSummaries()
      const names = summaries.map(each => each.name)
      assert.deepEqual(names, [...names].sort(byCodePoint))
      assert.deepEqual(
        summaries.find(each => each.name === project('summed')),
        {name: project('summed'), summary: 'newer upload', lastModified: new Date('2026-02-01T00:00:00Z')},
      )
    })

    law('removes rows, tells which projects are empty, and forgives what is not there', async () => {
      const [one, two] = [file('gone', '1'), file('gone', '2')]
      await cache.save([one, two])
      assert.deepEqual(await cache.remove([one]), {removed: [one], emptied: []})
      assert.deepEqual(await cache.remove([one]), {removed: [], emptied: []})
      assert.deepEqual(await cache.remove([two, one, two]), {removed: [two], emptied: [two.name]})
      assert.ok(!(await cache.listProjects()).includes(one.name))
    })
    law('removes only what is unchanged when asked to', async () => {
      const seen = file('changed', '1', {data: {fingerprint: 'a'}})
      await cache.save([{...seen, data: {fingerprint: 'b'}}])
      assert.deepEqual((await cache.remove([seen], {ifUnchanged: true})).removed, [])
      await cache.save([seen])
      assert.deepEqual((await cache.remove([seen], {ifUnchanged: true})).emptied, [seen.name])
    })
    law('saves only over what was seen when asked to', async () => {
      const old = file('race', '1', {data: {fingerprint: 'a'}})
      const foreign = {...old, data: {fingerprint: 'b'}}
      const mine = {...old, data: {fingerprint: 'c'}}
      await cache.save([foreign])
      assert.deepEqual(await cache.save([mine], {seen: new Map([[old.filename, old]])}), [])
      assert.deepEqual(await cache.save([mine], {seen: new Map()}), [])
      assert.deepEqual(await cache.findFile(old.filename), foreign)
      assert.deepEqual(await cache.save([mine], {seen: new Map([[old.filename, foreign]])}), [mine])
      await cache.remove([mine])
      assert.deepEqual(await cache.save([mine], {seen: new Map([[old.filename, mine]])}), [])
    })

    law('searches literally, without case, and gives the newest matching version', async () => {
      await cache.save([
        file('find-me', '1.9', {summary: 'Ein Fund'}),
        file('find-me', '1.10', {summary: '100% sicher'}),
        file('find-me', '2.0rc1', {summary: 'BIBLIOTHÈQUE'}),
        file('find_you', '1', {summary: null}),
        file('find_you', '2', {name: project('find_you'), summary: 'a_b\\c'}),
      ])
      const found = async (...search: Parameters<Cache['search']>) =>
        (await cache.search(...search))
          .filter(each => each.name.startsWith(`${run}-find`))
          .map(each => each.version)
      const mine = `${run}-FIND`
      assert.deepEqual(await found({name: [mine]}, 'or'), ['2.0rc1', '2'])
      assert.deepEqual(await found({summary: ['100%']}, 'and'), ['1.10'])
      assert.deepEqual(await found({summary: ['%']}, 'or'), ['1.10'])
      assert.deepEqual(await found({summary: ['a_b\\C']}, 'or'), ['2'])
      assert.deepEqual(await found({summary: ['bibliothèque']}, 'or'), ['2.0rc1'])
      assert.deepEqual(await found({name: [mine], summary: ['sicher']}, 'and'), ['1.10'])
      assert.deepEqual(await found({name: [mine, 'you'], summary: ['fund']}, 'and'), [])
      assert.deepEqual(await found({name: [`${mine}_y`], summary: ['fund']}, 'or'), ['1.9', '2'])
      assert.deepEqual(await found({}, 'or'), ['2.0rc1', '2'])
      assert.deepEqual(await found({}, 'and'), ['2.0rc1', '2'])
    })

    law('searches as every other cache does, whatever the texts', async () => {
      const texts = [
        'ÄPFEL',
        'äpfel',
        '100%',
        'a_b',
        'c\\d',
        'İstanbul',
        'ß',
        'SS',
        '日本',
        '🎉',
        "it's",
        'x  y',
      ]
      const versions = ['1.0', '1.10', '1.9', '2.0rc1', 'odd one']
      const files = texts.flatMap((text, i) =>
        versions.slice(0, 1 + (i % 5)).map((version, j) =>
          file(`same-${i}`, version, {
            summary: j === 1 ? null : `${text} and ${texts[(i + j) % texts.length] ?? ''}`,
          }),
        ),
      )
      await cache.save(files)
      const mine = `${run}-SAME-1`
      const criteria: SearchCriteria[] = [
        ...texts.map((text, i): SearchCriteria =>
          i % 2 === 0 ? {summary: [text]} : {name: [mine], summary: [text]},
        ),
        {name: [mine], summary: ['']},
        {name: [mine, '0'], summary: ['and', 'ss']},
      ]
      for (const [i, each] of criteria.entries()) {
        const operator = i % 3 === 0 ? 'or' : 'and'
        const newest = new Map<string, Searchable>()
        for (const row of files) if (matches(row, each, operator)) keepNewest(newest, row)
        const found = (await cache.search(each, operator)).filter(({name}) =>
          name.startsWith(project('same-')),
        )
        assert.deepEqual(
          found.map(({filename}) => filename).sort(),
          Array.from(newest.values(), ({filename}) => filename).sort(),
          `${operator} ${JSON.stringify(each)}`,
        )
      }
    })

    law('changes its token with every change, by whichever opener', async () => {
      const tokens = [await cache.changeToken()]
      assert.equal(await cache.changeToken(), tokens[0])
      for (const writer of [cache, other]) {
        await writer.save([file('token', '1', {summary: String(tokens.length)})])
        tokens.push(await cache.changeToken())
        await writer.remove([file('token', '1')])
        tokens.push(await cache.changeToken())
      }
      assert.equal(new Set(tokens).size, 5)
    })
    law('gives no token again under which something was listed that is gone', async () => {
      const brief = file('brief', '1')
      for (const scope of [brief.name, undefined]) {
        const token = await cache.changeToken(scope)
        await other.save([brief])
        const names =
          scope === undefined
            ? await cache.listProjects()
            : (await cache.listFiles(scope)).map(({name}) => name)
        assert.ok(names.includes(brief.name))
        await other.remove([brief])
        assert.notEqual(await cache.changeToken(scope), token)
      }
    })
    law('keeps facts of ours until they are taken back', async () => {
      const key = `fact-${run}`
      assert.equal(await cache.getState(key), undefined)
      await cache.setState(key, 'first')
      await cache.setState(key, 'sécond')
      assert.equal(await other.getState(key), 'sécond')
      await cache.setState(key, undefined)
      assert.equal(await other.getState(key), undefined)
    })

    law('gives a lock to one, and names the holder to the second', async () => {
      const lock = await cache.acquireLock(run, {owner: 'host-a, process 1'})
      await assert.rejects(other.acquireLock(run, {owner: 'b'}), (error: unknown) => {
        assert.ok(error instanceof LockHeld)
        return /host-a, process 1/.test(error.message)
      })
      await using free = await other.acquireLock(`${run}-other`, {owner: 'b'})
      assert.equal(free.signal.aborted, false)
      await lock[Symbol.asyncDispose]()
      await lock[Symbol.asyncDispose]()
      await using next = await other.acquireLock(run, {owner: 'b'})
      assert.notEqual(next.token, lock.token)
    })
    law('keeps a held lock alive past its expiry, whatever the clock of its holder says', async () => {
      await using lock = await cache.acquireLock(run, {owner: 'a', expireAfterSeconds: 2})
      try {
        for (const jump of [hourMs, -hourMs]) {
          mock.timers.enable({apis: ['Date'], now: Date.now() + jump})
          await new Promise(resolve => setTimeout(resolve, 1250))
          await assert.rejects(other.acquireLock(run, {owner: 'b'}), LockHeld)
          mock.timers.reset()
        }
      } finally {
        mock.timers.reset()
      }
      assert.equal(lock.signal.aborted, false)
    })
    law('writes nothing under a lock that is lost', async () => {
      const lock = await cache.acquireLock(run, {owner: 'a'})
      await cache.save([file('locked', '1')], {lock})
      await lock[Symbol.asyncDispose]()
      await using taken = await other.acquireLock(run, {owner: 'b'})
      await assert.rejects(cache.save([file('locked', '2')], {lock}), LockLost)
      await assert.rejects(cache.remove([file('locked', '1')], {lock}), LockLost)
      await assert.rejects(cache.setState(`fact-${run}`, 'x', {lock}), LockLost)
      assert.deepEqual(
        (await cache.listFiles(project('locked'))).map(({version}) => version),
        ['1'],
      )
      assert.equal(await cache.getState(`fact-${run}`), undefined)
      assert.equal(lock.signal.aborted, true)
      assert.equal(taken.signal.aborted, false)
    })

    acrossProcesses(
      'takes the lock of a killed process over, after its expiry and not before',
      async place => {
        const startedAt = performance.now() // before the last heartbeat, whenever that was
        const child = start(place, {do: 'hold-lock', name: `${run}-killed`, expireAfterSeconds: 2})
        await told(child)
        child.kill('SIGKILL')
        // a cache without a clock of its own may watch the lock for a while before it gives an answer
        await using lock = await untilFree(() => cache.acquireLock(`${run}-killed`, {owner: 'b'}))
        assert.equal(lock.signal.aborted, false)
        assert.ok(performance.now() - startedAt >= 2000, 'it has not expired yet')
      },
    )
    acrossProcesses('loses no write of several processes, and notices them at once', async place => {
      const before = await cache.changeToken()
      const children = [0, 1, 2].map(child =>
        start(place, {
          do: 'save',
          times: rounds,
          files: [file('shared', '0'), file(`own-${child}`, '1'), file(`own-${child}`, '2')],
        }),
      )
      const done = Promise.all(children.map(told)) // before our own rounds: a child may be quicker than they are
      const exits = Promise.all(children.map(child => once(child, 'exit')))
      for (let round = 0; round < rounds; round += 1) await cache.save([file('own-main', String(round))])
      await done
      const noticed = await cache.changeToken()
      assert.notEqual(noticed, before)
      for (const child of [0, 1, 2]) {
        const files = await cache.listFiles(project(`own-${child}`))
        assert.deepEqual(
          files.map(({data}) => data['round']),
          [rounds, rounds],
        )
      }
      assert.equal((await cache.listFiles(project('own-main'))).length, rounds)
      assert.equal((await cache.listFiles(project('shared'))).length, 1)
      await exits
    })
    acrossProcesses('survives a writer that is killed', async place => {
      const child = start(place, {do: 'save', times: 100_000, files: [file('killed', '1')]})
      while ((await cache.findFile(file('killed', '1').filename)) === undefined) {
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      child.kill('SIGKILL')
      await once(child, 'exit')
      await cache.save([file('killed', '2')])
      assert.equal((await cache.listFiles(project('killed'))).length, 2)
      await cache.check()
    })
  })
}

const start = (place: Elsewhere, job: CacheJob) =>
  fork(
    fileURLToPath(new URL('./cache-worker.js', import.meta.url)),
    [place.module, place.argument, JSON.stringify(job)],
    {execArgv: []},
  )

/** What a child sends first. Rejects when it ends without a word; its exit may be told before its last message is read. */
const told = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('disconnect', () => reject(new Error('the other process ended before it was done')))
  })

/** Asks again while it is held, for half a minute. */
async function untilFree(acquire: () => Promise<Lock>): Promise<Lock> {
  for (const deadline = performance.now() + 30_000; ;) {
    try {
      return await acquire()
    } catch (error) {
      if (!(error instanceof LockHeld) || performance.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
