import assert from 'node:assert/strict'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createHash, randomBytes, randomUUID} from 'node:crypto'
import {setTimeout as sleep} from 'node:timers/promises'
import {Readable} from 'node:stream'
import {buffer, text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {computedKey} from '../../src/lib/storage/layout.js'
import {wholeOf} from '../../src/lib/storage/small-body.js'
import {
  isOddity,
  ObjectExists,
  ObjectMissing,
  type Body,
  type ListedObject,
  type ObjectStore,
} from '../../src/lib/storage/storage.js'
import {HeldMemory} from './held-memory.js'

/** Bytes to store. */
export const bodyOf = (content: string | Buffer): Body => ({
  size: Buffer.byteLength(content),
  open: () => Readable.from([Buffer.from(content)], {objectMode: false}),
})

/** Gives half of what it promises, then fails. */
export const bodyThatBreaks = (size = 100_000): Body => ({
  size,
  open: () =>
    Readable.from(
      (function* () {
        yield Buffer.alloc(size / 2)
        throw new Error('the client went away')
      })(),
      {objectMode: false},
    ),
})

const bigSize = 64 << 20

/**
 * The laws that every ObjectStore keeps, on the real service. `open` is called more than once, for the same place.
 * `excused` maps a law to the reason why it cannot hold. A page of the service's listing has `objectsOnPage` at most.
 */
export function describeObjectStore(
  name: string,
  open: () => Promise<ObjectStore>,
  excused: Readonly<Record<string, string>> = {},
  objectsOnPage = 1000,
): void {
  describe(`${name} is an ObjectStore`, () => {
    // so that runs can share a bucket
    const project = `contract-${randomUUID()}`
    let store: ObjectStore
    const keyIn = (projectName: string, filename: string, version = '1.0') =>
      (store.keyPrefix ?? '') + computedKey(store.layout, {name: projectName, version, filename})
    const key = (filename: string, version?: string) => keyIn(project, filename, version)
    /** What all keys of a project begin with after the store's prefix, where keys do. */
    const prefixOf = (projectName: string) => (store.layout === 'hashed' ? '' : `${projectName}/`)
    const listed = async (within: string): Promise<ListedObject[]> => {
      const found: ListedObject[] = []
      for await (const entry of store.list(within)) if (!isOddity(entry)) found.push(entry)
      return found.filter(entry => entry.key.includes(project))
    }
    const put = (where: string, content: string | Buffer, replace = false) =>
      store.put(where, bodyOf(content), {replace, metadata: {summary: String(content).slice(0, 20)}})

    before(async () => {
      store = await open()
    })
    after(async () => {
      const left = await listed('')
      const remove = async () => {
        for (let entry = left.pop(); entry; entry = left.pop()) await store.delete(entry.key)
      }
      await Promise.all(Array.from({length: 32}, remove))
      await store[Symbol.asyncDispose]()
    })
    const law = (title: string, check: () => Promise<void>) =>
      it(title, {skip: excused[title] ?? false}, check)

    law('gives back the bytes that were put', async () => {
      const bytes = randomBytes(300_000)
      const stored = await store.put(key('bytes-1.0.zip'), bodyOf(bytes), {replace: false})
      assert.equal(stored.size, bytes.length)
      assert.deepEqual(await buffer(await store.open(key('bytes-1.0.zip'))), bytes)
    })

    law('keeps an object without bytes', async () => {
      await store.put(key('empty-1.0.zip'), bodyOf(''), {replace: false, metadata: {uploader: 'ada'}})
      assert.equal(await text(await store.open(key('empty-1.0.zip'))), '')
      const stored = await store.stat(key('empty-1.0.zip'))
      assert.equal(stored.size, 0)
      assert.equal(stored.metadata['uploader'], 'ada')
    })

    law('gives back the metadata that was put', async () => {
      const metadata = {
        requires_python: '>=3.6',
        hash_sha256: 'ab'.repeat(32),
        hash_md5: 'cd'.repeat(16),
        uploader: 'svc.build@example.com',
        summary: 'tool <b>&"quoted"</b> \\ back',
        upload_time: '2026-11-20T23:09:52.673762Z',
      }
      const put = await store.put(key('meta-1.0.zip'), bodyOf('x'), {replace: false, metadata})
      for (const stored of [put, await store.stat(key('meta-1.0.zip'))]) {
        const underscored = Object.entries(stored.metadata).map(([name, value]) => [
          name.replaceAll('-', '_'),
          value,
        ])
        const found = Object.fromEntries(underscored) as Record<string, string>
        for (const [name, value] of Object.entries(metadata)) assert.equal(found[name], value, name)
      }
    })

    law('keeps what is there unless it may replace', async () => {
      await put(key('kept-1.0.zip'), 'old')
      await assert.rejects(put(key('kept-1.0.zip'), 'new'), ObjectExists)
      assert.equal(await text(await store.open(key('kept-1.0.zip'))), 'old')
      assert.equal((await store.stat(key('kept-1.0.zip'))).metadata['summary'], 'old')
    })

    law('replaces bytes and metadata together', async () => {
      const old = await store.put(key('replaced-1.0.zip'), bodyOf('old'), {
        replace: false,
        metadata: {uploader: 'ada'},
      })
      const now = await put(key('replaced-1.0.zip'), 'newer', true)
      assert.equal(await text(await store.open(key('replaced-1.0.zip'))), 'newer')
      const stored = await store.stat(key('replaced-1.0.zip'))
      assert.deepEqual([stored.metadata['summary'], stored.metadata['uploader']], ['newer', undefined])
      assert.notEqual(now.fingerprint, old.fingerprint)
      assert.equal(stored.fingerprint, now.fingerprint)
    })

    law('has one fingerprint for put, stat and list', async () => {
      const stored = await put(key('finger-1.0.zip'), 'x')
      const [entry] = (await listed(prefixOf(project))).filter(found => found.key === stored.key)
      assert.equal(entry?.fingerprint, stored.fingerprint)
      assert.equal((await store.stat(stored.key)).fingerprint, stored.fingerprint)
    })

    law('keeps the old object when a body breaks', async () => {
      await put(key('broken-1.0.zip'), 'old')
      await assert.rejects(store.put(key('broken-1.0.zip'), bodyThatBreaks(), {replace: true}), /went away/)
      assert.equal(await text(await store.open(key('broken-1.0.zip'))), 'old')
      assert.equal((await store.stat(key('broken-1.0.zip'))).metadata['summary'], 'old')
    })

    law('leaves nothing of a body that breaks, or is shorter or longer than it said', async () => {
      const content = bodyOf('1234567890')
      for (const body of [bodyThatBreaks(), {...content, size: 11}, {...content, size: 9}]) {
        await assert.rejects(store.put(key('none-1.0.zip'), body, {replace: false}))
        await assert.rejects(store.stat(key('none-1.0.zip')), ObjectMissing)
      }
    })

    law('leaves nothing of a put that is aborted', async () => {
      const stop = new AbortController()
      const slow = async function* () {
        yield Buffer.alloc(70_000)
        stop.abort(new Error('stopped'))
        await sleep(50)
        yield Buffer.alloc(70_000)
      }
      const body = {size: 140_000, open: () => Readable.from(slow(), {objectMode: false})}
      await assert.rejects(store.put(key('aborted-1.0.zip'), body, {replace: false, signal: stop.signal}))
      await assert.rejects(store.stat(key('aborted-1.0.zip')), ObjectMissing)
    })

    law('never lists an object that is half written', async () => {
      const listings: string[][] = []
      const slow = async function* () {
        yield Buffer.alloc(70_000)
        listings.push((await listed(prefixOf(project))).map(entry => entry.key))
        yield Buffer.alloc(70_000)
      }
      const body = {size: 140_000, open: () => Readable.from(slow(), {objectMode: false})}
      await store.put(key('half-1.0.zip'), body, {replace: false})
      assert.equal(listings.length, 1)
      assert.equal(listings[0]?.includes(key('half-1.0.zip')), false)
      assert.equal(
        (await listed(prefixOf(project))).filter(entry => entry.key === key('half-1.0.zip')).length,
        1,
      )
    })

    law('reads ranges', async () => {
      await put(key('range-1.0.zip'), '0123456789')
      const part = async (start: number, end: number) =>
        text(await store.open(key('range-1.0.zip'), {start, end}))
      assert.equal(await part(0, 0), '0')
      assert.equal(await part(2, 4), '234')
      assert.equal(await part(9, 9), '9')
      assert.equal(await part(5, 1000), '56789')
    })

    law('copies inside the service with new metadata, or says that it can not', async () => {
      await using source = await open()
      const bytes = randomBytes(70_000)
      const md5 = createHash('md5').update(bytes).digest('hex')
      const metadata = {hash_md5: md5, uploader: 'ada', upload_time: '2026-11-20T23:09:52.673762Z'}
      const [from, to] = [key('from-1.0.zip'), key('to-1.0.zip')]
      await source.put(from, bodyOf(bytes), {replace: false, metadata: {hash_md5: md5, summary: 'gone'}})
      const copied = await store.copyFrom?.(source, from, to, {replace: false, metadata})
      if (copied === undefined) {
        await assert.rejects(store.stat(to), ObjectMissing)
        return
      }
      assert.deepEqual(await buffer(await store.open(to)), bytes)
      const stored = await store.stat(to)
      assert.deepEqual([copied.size, copied.fingerprint], [stored.size, stored.fingerprint])
      for (const given of [copied.metadata, stored.metadata]) {
        const entries = Object.entries(given).map(([name, value]) => [name.replaceAll('-', '_'), value])
        const found = Object.fromEntries(entries) as Record<string, string>
        for (const [name, value] of Object.entries(metadata)) assert.equal(found[name], value, name)
        assert.equal(found['summary'], undefined)
      }
      await put(from, 'newer', true)
      await assert.rejects(
        async () => store.copyFrom?.(source, from, to, {replace: false, metadata}),
        ObjectExists,
      )
      await assert.rejects(
        async () =>
          store.copyFrom?.(source, key('nothing-1.0.zip'), key('no-1.0.zip'), {replace: false, metadata}),
        ObjectMissing,
      )
      assert.deepEqual(await buffer(await store.open(to)), bytes)
    })

    law('gives an object with what is known of it at once, where it can', async () => {
      const where = key('fetched-1.0.zip')
      await put(where, 'fetched')
      for (const size of [7, 1 << 30]) {
        const fetched = await store.fetch?.(where, size)
        if (fetched === undefined) return
        assert.equal(String(await wholeOf(fetched.bytes)), 'fetched')
        assert.deepEqual(fetched.object, await store.stat(where))
        await assert.rejects(async () => store.fetch?.(key('unfetched-1.0.zip'), size), ObjectMissing)
      }
    })

    law('loses nothing to readers that turn away', async () => {
      const where = key('unread-1.0.zip')
      await put(where, 'x'.repeat(200_000))
      for (let batch = 0; batch < 10; batch += 1) {
        const opened = await Promise.all(Array.from({length: 20}, () => store.open(where)))
        for (const stream of opened) stream.destroy()
        const fetched = await store.fetch?.(where, 200_000)
        if (fetched?.bytes instanceof Readable) fetched.bytes.destroy()
      }
      assert.equal((await store.stat(where)).size, 200_000) // more streams than a client has connections
    })

    law('does not have to say how an object will be listed', async () => {
      const where = key('unlisted-1.0.zip')
      const metadata = {summary: 'unlisted'}
      const stored = await store.put(where, bodyOf('unlisted'), {replace: false, unlisted: true, metadata})
      assert.deepEqual([stored.key, stored.size, stored.metadata['summary']], [where, 8, 'unlisted'])
      assert.equal((await store.stat(where)).size, 8)
    })

    law('takes no object of another service for its own', async () => {
      const elsewhere = await mkdtemp(join(tmpdir(), 'ppc-contract-'))
      const stranger = await openDirectory(elsewhere)
      try {
        const body = bodyOf('of a directory')
        await stranger.put('foreign/1.0/foreign-1.0.zip', body, {replace: false})
        await put(key('foreign-1.0.zip'), 'ours')
        const copied = await store.copyFrom?.(stranger, 'foreign/1.0/foreign-1.0.zip', key('copy-1.0.zip'), {
          replace: false,
          metadata: {uploader: 'ada'},
        })
        assert.equal(copied, undefined)
        await assert.rejects(store.stat(key('copy-1.0.zip')), ObjectMissing)
        assert.equal((await store.overlaps?.(stranger)) ?? false, false)
      } finally {
        await stranger[Symbol.asyncDispose]()
        await rm(elsewhere, {recursive: true})
      }
    })

    law('says at once that an object is missing', async () => {
      await assert.rejects(store.open(key('absent-1.0.zip')), ObjectMissing)
      await assert.rejects(store.open(key('absent-1.0.zip'), {start: 0, end: 1}), ObjectMissing)
      await assert.rejects(store.stat(key('absent-1.0.zip')), ObjectMissing)
      if (store.has) assert.equal(await store.has(key('absent-1.0.zip')), false)
    })

    law('deletes, and deletes again', async () => {
      await put(key('deleted-1.0.zip'), 'x')
      await store.delete(key('deleted-1.0.zip'))
      await assert.rejects(store.stat(key('deleted-1.0.zip')), ObjectMissing)
      await store.delete(key('deleted-1.0.zip'))
      if (store.has) assert.equal(await store.has(key('deleted-1.0.zip')), false)
      await put(key('deleted-1.0.zip'), 'again')
      if (store.has) assert.ok(await store.has(key('deleted-1.0.zip')))
      assert.equal((await store.stat(key('deleted-1.0.zip'))).metadata['summary'], 'again')
    })

    law('lists what is under a prefix and not its siblings', async () => {
      const names = [`${project}-foo`, `${project}-foobar`, `${project}-foo-bar`]
      for (const sibling of names) await put(keyIn(sibling, 'sibling-1.0.zip'), 'x')
      if (store.layout === 'hashed') return // the prefix is a hash: nobody asks for a project
      for (const sibling of names) {
        const found = await listed(`${sibling}/`)
        assert.deepEqual(
          found.map(entry => entry.key),
          [keyIn(sibling, 'sibling-1.0.zip')],
        )
      }
      assert.deepEqual(await listed(`${project}-fo/`), [])
    })

    law('keeps names with odd characters', async () => {
      const names = [
        'odd-1!2.0+local.1-py3-none-any.whl',
        'odd%2B-1.0.zip',
        'odd a b-1.0.zip',
        'odd&<>\'"-1.0.zip',
        'odd#?=;,@$~-1.0.zip',
        'oddé-1.0.zip',
        'odde\u0301-1.0.zip', // the same to the eye, another name
        'odd-日本語-1.0.zip',
        'odd-🐍-1.0.zip',
        'odd-constructor-__proto__-1.0.zip',
      ]
      for (const filename of names) await put(key(filename, '1!2.0+local.1'), filename)
      const keys = new Set((await listed(prefixOf(project))).map(entry => entry.key))
      for (const filename of names) {
        const where = key(filename, '1!2.0+local.1')
        assert.ok(keys.has(where), `${filename} is listed`)
        assert.equal(await text(await store.open(where)), filename)
        await store.delete(where)
        await assert.rejects(store.stat(where), ObjectMissing)
      }
    })

    law('lists more objects than fit on a page, each once', async () => {
      const expected = new Set<string>()
      const many = Math.ceil(objectsOnPage * 1.2)
      for (let first = 0; first < many; first += 50) {
        await Promise.all(
          Array.from({length: Math.min(50, many - first)}, async (_, index) => {
            const number = first + index
            const stored = await put(
              keyIn(`${project}-many`, `many-${number}.zip`, `${number % 7}`),
              `${number}`,
            )
            expected.add(stored.key)
          }),
        )
      }
      const found = (await listed(prefixOf(`${project}-many`))).filter(entry => entry.key.includes('-many/'))
      assert.equal(found.length, many)
      assert.deepEqual(new Set(found.map(entry => entry.key)), expected)
    })

    law('lets exactly one of several writers create an object', async () => {
      await using second = await open()
      const where = key('race-1.0.zip')
      for (let round = 0; round < 5; round += 1) {
        const writers = Array.from({length: 10}, (_, index) => ({
          store: index % 2 ? store : second,
          text: `writer ${index}`,
        }))
        const results = await Promise.allSettled(
          writers.map(writer =>
            writer.store.put(where, bodyOf(writer.text), {replace: false, metadata: {summary: writer.text}}),
          ),
        )
        const winners = writers.filter((_, index) => results[index]?.status === 'fulfilled')
        for (const result of results)
          if (result.status === 'rejected') assert.ok(result.reason instanceof ObjectExists)
        assert.equal(winners.length, 1)
        assert.equal(await text(await store.open(where)), winners[0]?.text)
        assert.equal((await store.stat(where)).metadata['summary'], winners[0]?.text)
        await store.delete(where)
      }
    })

    law('shows readers either the old or the new object, whole, while it is replaced', async () => {
      await using second = await open()
      const where = key('swap-1.0.zip')
      const contents = ['a', 'b', 'c', 'd'].map(letter => letter.repeat(200_000))
      await put(where, contents[0]!, true)
      let writing = true
      const read = async () => {
        while (writing) assert.ok(contents.includes(await text(await store.open(where))))
      }
      const write = async (by: ObjectStore) => {
        for (const content of contents) {
          await by.put(where, bodyOf(content), {replace: true, metadata: {summary: content.slice(0, 20)}})
        }
      }
      const readers = [read(), read()]
      await Promise.all([write(store), write(second)]).finally(() => (writing = false))
      await Promise.all(readers)
      const content = await text(await store.open(where))
      assert.equal((await store.stat(where)).metadata['summary'], content.slice(0, 20))
    })

    law('streams 64 MB with bounded memory', async () => {
      const chunk = randomBytes(1 << 16)
      const pieces = bigSize / chunk.length
      const memory = new HeldMemory()
      const chunks = function* () {
        for (let index = 0; index < pieces; index += 1) {
          memory.passed(chunk.length)
          yield chunk
        }
      }
      const body = {size: bigSize, open: () => Readable.from(chunks(), {objectMode: false})}
      await store.put(key('big-1.0.zip'), body, {replace: false})
      const read = createHash('sha256')
      for await (const piece of await store.open(key('big-1.0.zip'))) {
        memory.passed((piece as Buffer).length)
        read.update(piece as Buffer)
      }
      const sent = createHash('sha256')
      for (let index = 0; index < pieces; index += 1) sent.update(chunk)
      assert.equal(read.digest('hex'), sent.digest('hex'))
      assert.ok(memory.peak < bigSize / 2, `${Math.round(memory.peak / 1e6)} MB more than before`)
    })

    law('keeps notes that no listing shows, and lets nobody overwrite what they have not seen', async () => {
      const {notes} = store
      if (notes === undefined) return
      await using second = await open()
      const before = await notes.read()
      assert.equal(await notes.write('{"é": "one"}', before?.version), true)
      const one = await second.notes?.read()
      assert.equal(one?.text, '{"é": "one"}')
      assert.equal(await second.notes?.write('two', before?.version), false)
      const tries = await Promise.all(
        Array.from({length: 6}, (_, index) =>
          (index % 2 ? store : second).notes!.write(`by ${index}`, one.version),
        ),
      )
      assert.equal(tries.filter(Boolean).length, 1)
      assert.equal((await notes.read())?.text, `by ${tries.indexOf(true)}`)
      for await (const entry of store.list('')) assert.ok(!/note/i.test(entry.key), entry.key)
    })

    law('keeps further texts beside the notes, which can be removed', async () => {
      const text = store.notes?.beside?.(`attestations-${randomUUID()}`)
      if (text === undefined) return
      assert.equal(await text.read(), undefined)
      assert.equal(await text.write('é', undefined), true)
      assert.equal((await text.read())?.text, 'é')
      for await (const entry of store.list('')) assert.ok(!/attestations/.test(entry.key), entry.key)
      await text.remove()
      await text.remove()
      assert.equal(await text.read(), undefined)
    })

    law('is well, and can be closed twice', async () => {
      const other = await open()
      await other.check()
      await other[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
    })
  })
}
