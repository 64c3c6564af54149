import assert from 'node:assert/strict'
import {it} from 'node:test'
import {NameSet} from '../../src/lib/tasks/rebuild/names.js'

it('a rebuild knows each name again and counts it once, also when there are very many', () => {
  const names = new NameSet()
  const name = (index: number) => `bench_${index}-1.0-py3-none-any.whl`
  const wrong: string[] = []
  for (let index = 0; index < 100_000; index += 1) {
    if (names.has(name(index))) wrong.push(name(index))
    names.add(name(index))
    names.add(name(index >> 1))
    if (names.size !== index + 1 || !names.has(name(index >> 1))) wrong.push(name(index))
  }
  assert.deepEqual(wrong, [])
  assert.equal(names.has(name(100_000)), false)
})
