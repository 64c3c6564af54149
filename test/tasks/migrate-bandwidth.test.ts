import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {Bandwidth, type Clock} from '../../src/lib/tasks/migrate/bandwidth.js'

/** Time passes only by sleeping and by `wait`. */
class FakeClock implements Clock {
  ms = 0
  readonly #sleepers: {readonly until: number; readonly wake: () => void}[] = []
  now = () => this.ms
  sleep(ms: number): Promise<void> {
    return new Promise(wake => void this.#sleepers.push({until: this.ms + ms, wake}))
  }
  /** Wakes one sleeper after the other until nobody sleeps. */
  async run(): Promise<void> {
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      const next = this.#sleepers.sort((a, b) => a.until - b.until).shift()
      if (!next) return
      this.ms = Math.max(this.ms, next.until)
      next.wake()
    }
  }
}

describe('The bandwidth of a migration', () => {
  it('is what was asked for, however many transfers share it', async () => {
    for (const transfers of [1, 7]) {
      const clock = new FakeClock()
      const bandwidth = new Bandwidth(1_000_000, clock)
      let left = 700
      const transfer = async () => {
        while (left > 0) {
          left -= 1
          await bandwidth.take(65_536)
        }
      }
      const all = Promise.all(Array.from({length: transfers}, transfer))
      await clock.run()
      await all
      const rate = (700 * 65_536) / (clock.ms / 1000)
      assert.ok(rate > 980_000 && rate < 1_030_000, `${rate}`)
    }
  })

  it('can be so low that a wait is longer than a timer goes', async () => {
    const clock = new FakeClock()
    let longest = 0
    const sleep = (ms: number) => clock.sleep((longest = Math.max(longest, ms)))
    const taken = new Bandwidth(1, {now: clock.now, sleep}).take(5_000_000)
    await clock.run()
    await taken
    assert.ok(clock.ms >= 5_000_000_000 - 500 && longest < 2 ** 31, `${clock.ms} by ${longest}`)
  })

  it('is not made up for after a long rest', async () => {
    const clock = new FakeClock()
    const bandwidth = new Bandwidth(1000, clock)
    clock.ms += 3_600_000
    const start = clock.ms
    const taken = bandwidth.take(10_000)
    await clock.run()
    await taken
    assert.equal(clock.ms - start, 9500)
  })
})
