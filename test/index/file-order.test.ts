import assert from 'node:assert/strict'
import {it} from 'node:test'
import {orderAgain, orderOf} from '../../src/lib/index/pages/file-order.js'

interface Filed {
  readonly filename: string
  readonly version: string
}

it('files of a large project that change stand in the order in which they would stand if sorted anew', () => {
  let seed = 7
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
  const suffixes = ['.zip', '.ZIP', '-py3-none-any.whl', '.tar.gz']
  const made = (): Filed => {
    const version = `${random(30)}.${random(40)}${['', '.0', 'rc1', '-odd'][random(4)]}`
    return {filename: `Proj-${version}-${random(1e6)}${suffixes[random(4)]}`, version}
  }
  let files = Array.from({length: 600}, made)
  for (let round = 0; round < 200; round += 1) {
    const change = random(6)
    if (change === 0) files = [...files, ...Array.from({length: random(60)}, made)]
    if (change === 1) files = files.filter(() => random(200) > 0)
    if (change === 2) files = files.map(file => (random(300) > 0 ? file : {...file, version: made().version}))
    if (change === 3) files = files.map(file => ({...file}))
    if (change === 4) files = [...files].reverse()
    const [again, anew] = [orderAgain('proj', files), orderOf(files)]
    assert.deepEqual(again.byName, anew.byName)
    assert.deepEqual(new Set(again.versions), new Set(anew.versions))
    assert.deepEqual(again.versions.map(keyless), anew.versions.map(keyless))
  }
})

/** Two spellings of one version may stand either way. */
const keyless = (version: string) => version.replace(/\.0(?=rc|$)/, '')
