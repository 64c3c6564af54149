import assert from 'node:assert/strict'
import {it} from 'node:test'
import fc from 'fast-check'
import {JoinedBytes} from '../../src/lib/index/pages/joined-bytes.js'

it('a page whose files come, go and move has the bytes of one that is made anew', () => {
  const files = Array.from({length: 30}, (_, number) => ({text: `${'é🎉\ud800'.slice(number % 4)}${number}`}))
  const lists = fc.array(fc.array(fc.nat(files.length - 1), {maxLength: 60}), {maxLength: 8})
  fc.assert(
    fc.property(lists, fc.constantFrom('', ',', 'é;'), (rounds, separator) => {
      const joined = new JoinedBytes<{text: string}>(({text}) => text, separator)
      for (const [round, numbers] of rounds.entries()) {
        const shown = numbers.map(number => files[number]).filter(file => file !== undefined)
        const head = `<${round}é>`
        const texts = shown.map(({text}) => Buffer.from(text).toString()).join(separator)
        assert.equal(joined.join(head, shown, '</>').toString(), `${head}${texts}</>`)
      }
    }),
  )
})
