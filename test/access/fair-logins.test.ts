import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {Decoys} from '../../src/lib/access/decoys.js'
import {Lanes} from '../../src/lib/access/lanes.js'
import {hashPassword} from '../../src/lib/access/passwords/index.js'
import {Unavailable} from '../../src/lib/errors.js'

describe('a user that does not exist', () => {
  it('costs what users cost whose hashes were seen, the same each time', async () => {
    const decoys = new Decoys('sha512_crypt', undefined)
    const names = Array.from({length: 50}, (_, index) => `nobody-${index}`)
    assert.ok(names.every(name => decoys.for(name).startsWith('$6$rounds=20500$')))
    for (const rounds of [1500, 1500]) {
      decoys.learn(await hashPassword('x', {scheme: 'sha256_crypt', rounds}))
    }
    decoys.learn('no hash at all')
    const kinds = names.map(name => decoys.for(name).split('$').slice(1, 3).join(' '))
    assert.deepEqual([...new Set(kinds)].sort(), ['5 rounds=1500', '6 rounds=20500'])
    assert.deepEqual(
      names.map(name => decoys.for(name).split('$').slice(1, 3).join(' ')),
      kinds,
    )
  })
})

describe('a client that logs in with hundreds of passwords', () => {
  it('waits for itself, and nobody waits for it', async () => {
    const lanes = new Lanes()
    let release = () => {}
    const blocked = new Promise<void>(resolve => (release = resolve))
    let running = 0
    const flood = Array.from({length: 104}, () =>
      lanes.run('flood', async () => {
        running += 1
        await blocked
      }),
    )
    await assert.rejects(
      lanes.run('flood', () => Promise.resolve()),
      Unavailable,
    )
    assert.equal(await lanes.run('somebody', () => Promise.resolve('in')), 'in')
    await sleep(1)
    assert.equal(running, 4)
    release()
    await Promise.all(flood)
    assert.equal(await lanes.run('flood', () => Promise.resolve('in')), 'in')
  })
  it('gets its failures told', async () => {
    await assert.rejects(
      new Lanes().run('a', () => Promise.reject(new Error('no'))),
      /no/,
    )
  })
})
