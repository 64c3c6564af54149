/** A process of the disk cache's test: reads files of a slow store through a cache that it shares, until it is ended. */
import {createHash} from 'node:crypto'
import {Readable} from 'node:stream'
import {DiskCache} from '../../src/lib/storage/disk-cache/disk-cache.js'
import {contentOf, objectOf} from './disk-cache-objects.js'

const [directory = '', maxSize = '', rounds = '', seed = ''] = process.argv.slice(2)
const cache = await DiskCache.open({directory, maxSize: Number(maxSize)})
let fetched = 0
let random = Number(seed)
const next = (below: number) => (random = (random * 1103515245 + 12345) % 2147483648) % below

for (let round = 0; round < Number(rounds); round += 1) {
  const number = Math.min(next(12), next(12))
  const content = contentOf(number)
  const opened = await cache.open(objectOf(number), {
    open: range => {
      fetched += 1
      return Promise.resolve(Readable.from([content.subarray(range?.start, (range?.end ?? Infinity) + 1)]))
    },
    isCurrent: () => Promise.resolve(true),
  })
  const stream = opened instanceof Readable ? opened : opened.createReadStream()
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk as Buffer)
  if (hash.digest('hex') !== objectOf(number).sha256) throw new Error(`wrong bytes of ${number}`)
}
await cache[Symbol.asyncDispose]()
process.stdout.write(`${fetched}\n`)
