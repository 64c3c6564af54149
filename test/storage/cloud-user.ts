/**
 * A process with an identity, a proxy and authorities of its own, as its environment says: opens the storage of a config,
 * uses it, and tells as JSON what it saw.
 */
import {randomBytes} from 'node:crypto'
import {buffer} from 'node:stream/consumers'
import {openBackends} from '../../src/lib/backends.js'
import {readConfig} from '../../src/lib/config/config.js'
import {PpcError} from '../../src/lib/errors.js'
import {bodyOf} from '../contracts/object-store.js'

/** What the test reads. */
export interface Seen {
  /** Keys of the store after two uploads, a small one and one in parts. */
  readonly keys?: readonly string[]
  /** The large file came back as it was. */
  readonly isSame?: boolean
  /** To the small file, which holds `small`. */
  readonly link?: string | undefined
  readonly error?: {readonly name: string; readonly message: string; readonly hint?: string | undefined}
}

async function use(file: string): Promise<Seen> {
  await using backends = await openBackends(await readConfig(file), ['storage'])
  const {storage: store} = backends
  const large = randomBytes(20 << 20)
  await store.put('tool/tool-1.0.zip', bodyOf('small'), {
    replace: true,
    metadata: {name: 'tool', version: '1.0'},
  })
  await store.put('tool/tool-2.0.zip', bodyOf(large), {
    replace: true,
    metadata: {name: 'tool', version: '2.0'},
  })
  const keys = []
  for await (const {key} of store.list('')) keys.push(key)
  const isSame = large.equals(await buffer(await store.open('tool/tool-2.0.zip')))
  const link = (await store.links?.urlOf('tool/tool-1.0.zip', 600))?.href
  await store.delete('tool/tool-2.0.zip')
  return {keys: keys.sort(), isSame, link}
}

try {
  process.stdout.write(JSON.stringify(await use(process.argv[2] ?? '')))
} catch (error) {
  if (!(error instanceof PpcError)) throw error
  const {name, message, hint} = error
  process.stdout.write(JSON.stringify({error: {name, message, hint}} satisfies Seen))
}
