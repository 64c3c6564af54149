import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {LockHeld, LockLost} from '../../src/lib/errors.js'
import {acquireNotesLock, type NotesLockTimes} from '../../src/lib/index/notes-lock.js'
import {Notes} from '../../src/lib/index/notes.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {tempDir} from '../support/temp.js'

const times: NotesLockTimes = {beatMs: 20, deadAfterMs: 400, pollMs: 10}

async function place() {
  const dir = await tempDir()
  const store = await openDirectory(dir.join('packages'))
  return Object.assign(dir, {
    store,
    notes: new Notes(store),
    lock: (owner: string) => acquireNotesLock(store, 'migrate', {owner, times}),
  })
}
type Noted = Record<'owner' | 'token' | 'place', string> & Record<'pid' | 'beat', number>

describe('A lock in the notes of a storage', () => {
  it('is refused to the second while the first lives, also from another host, and free afterwards', async () => {
    await using dir = await place()
    await using first = await dir.lock('the first')
    await assert.rejects(dir.lock('the second'), {name: 'LockHeld', message: /by the first/})
    const beating = setInterval(() => void dir.notes.changeLock('rebuild', later).catch(() => undefined), 10)
    await dir.notes.changeLock('rebuild', () => ({owner: 'far', token: 't', place: 'far', pid: 1, beat: 1}))
    // however slow the disk is on which it beats
    const patient = {...times, deadAfterMs: 60_000}
    const other = acquireNotesLock(dir.store, 'rebuild', {owner: 'x', times: patient})
    await assert.rejects(other, LockHeld).finally(() => clearInterval(beating))
    await first?.[Symbol.asyncDispose]()
    await using third = await dir.lock('the third')
    await third?.check()
  })

  it('is taken over at once from a dead process of this host', async () => {
    await using dir = await place()
    await using mine = await dir.lock('me')
    const noted = (await dir.notes.readLock('migrate')) as Noted
    await mine?.[Symbol.asyncDispose]()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    await dir.notes.changeLock('migrate', () => ({...noted, token: 'dead', pid: child.pid}))
    const patient = {beatMs: 1000, deadAfterMs: 3_600_000, pollMs: 10}
    await using taken = await acquireNotesLock(dir.store, 'migrate', {owner: 'heir', times: patient})
    assert.equal(((await dir.notes.readLock('migrate')) as Noted).owner, 'heir')
    assert.equal(taken?.signal.aborted, false)
  })

  it('is taken over from another host when it beats no more', async () => {
    await using dir = await place()
    const dead = {owner: 'far', token: 'dead', place: 'another host', pid: process.pid, beat: 7}
    await dir.notes.changeLock('migrate', () => dead)
    await using taken = await dir.lock('heir')
    assert.ok(taken)
    assert.equal(((await dir.notes.readLock('migrate')) as Noted).owner, 'heir')
  })

  it('tells its holder that somebody else has it, and is left to that one', async () => {
    await using dir = await place()
    const mine = await dir.lock('me')
    await dir.notes.seal(['acme'])
    await dir.notes.changeLock('migrate', held => ({...(held as Noted), owner: 'thief', token: 'other'}))
    while (!mine?.signal.aborted) await sleep(5)
    await assert.rejects(mine.check(), LockLost)
    await mine[Symbol.asyncDispose]()
    assert.equal(((await dir.notes.readLock('migrate')) as Noted).owner, 'thief')
    assert.deepEqual([...(await dir.notes.sealed())], ['acme'])
  })
})

const later = (held: unknown): unknown => ({...(held as Noted), beat: (held as Noted).beat + 1})
