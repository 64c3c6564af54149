import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {StorageFailed} from '../../src/lib/errors.js'
import {Notes} from '../../src/lib/index/notes.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {tempDir} from '../support/temp.js'

async function open() {
  const dir = await tempDir()
  const store = await openDirectory(dir.path)
  const write = async (text: string) =>
    assert.ok(await store.notes!.write(text, (await store.notes!.read())?.version))
  return {store, write, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]()}
}

describe('seals', () => {
  it('are known to every server of the storage', async () => {
    await using opened = await open()
    await new Notes(opened.store).seal(['acme-core', 'constructor', '__proto__'])
    const other = new Notes(opened.store)
    assert.deepEqual([...(await other.sealed())].sort(), ['__proto__', 'acme-core', 'constructor'])
    await other.unseal('constructor')
    assert.deepEqual([...(await new Notes(opened.store).sealed())].sort(), ['__proto__', 'acme-core'])
  })

  it('are all kept when many are made at once', async () => {
    await using opened = await open()
    const servers = [new Notes(opened.store), new Notes(opened.store), new Notes(opened.store)]
    await Promise.all(Array.from({length: 30}, (_, i) => servers[i % 3]!.seal([`project-${i}`])))
    assert.equal((await new Notes(opened.store).sealed()).size, 30)
  })

  it('leave alone what a later version has noted', async () => {
    await using opened = await open()
    await opened.write(
      '{"version": 1, "seals": {"old": {"since": "x", "why": "y"}}, "yanks": {"a.whl": "broken"}}',
    )
    await new Notes(opened.store).seal(['new'])
    const text = JSON.parse((await opened.store.notes!.read())!.text) as Record<
      string,
      Record<string, unknown>
    >
    assert.deepEqual(text['yanks'], {'a.whl': 'broken'})
    assert.deepEqual(text['seals']!['old'], {since: 'x', why: 'y'})
    assert.ok('new' in text['seals']!)
  })

  it('that can not be read are an error, not "nothing is sealed"', async () => {
    for (const text of ['', '{', '[]', '{"version": 1, "seals": []}', '{"seals": {}}']) {
      await using opened = await open()
      await opened.write(text)
      const notes = new Notes(opened.store)
      await assert.rejects(notes.sealed(), StorageFailed)
      await assert.rejects(notes.seal(['x']), StorageFailed)
      assert.equal((await opened.store.notes!.read())?.text, text)
    }
  })

  it('are read again at once with another token, and else after a second', async () => {
    await using opened = await open()
    const notes = new Notes(opened.store)
    assert.equal((await notes.sealed('1')).size, 0)
    await new Notes(opened.store).seal(['x'])
    assert.equal((await notes.sealed('1')).size, 0)
    assert.equal((await notes.sealed('2')).size, 1)
    await new Notes(opened.store).seal(['y'])
    await new Promise(resolve => setTimeout(resolve, 1050))
    assert.equal((await notes.sealed('2')).size, 2)
  })
})
