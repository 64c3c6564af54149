import {randomUUID} from 'node:crypto'
import type {WriteOptions} from '../cache.js'
import type {RedisConnection} from './connection.js'
import {factField, filesKey, namesKey, rowKey, stateKey, witnessesKey, witnessField} from './keys.js'
import {lockArguments, loseLock} from './lock.js'
import {changeState, markWitness, refusal} from './scripts.js'
import {serverIdentity} from './server.js'

const wantedWitnesses = 3

/**
 * Facts of ours, which end with the rows that they are about. Redis itself does not tell that somebody has dropped
 * keys, so a few rows, each of another project where there are several, bear witness in a field that pypicloud carries
 * along: what drops everything drops them too, and what writes them again does not know that field. Witnesses that we
 * remove are replaced; when anybody else has removed one, the facts end too early rather than too late. They also end
 * with the server's process, since one that comes back, or takes over from another, may lack the last writes, and when
 * a server that is allowed to evicts keys. That the rows are a part stays true through all of that.
 * ```
 * ppc-toolkit:{pypicloud}:state      server, witness, fact:complete …
 * ppc-toolkit:{pypicloud}:witnesses  file names
 * pypicloud:package:FILE             … ppc_toolkit_witness = "the text of witness"
 * ```
 */
export class RedisState {
  readonly #identity: () => Promise<string>

  constructor(private readonly connection: RedisConnection) {
    this.#identity = serverIdentity(connection)
  }

  async get(key: string): Promise<string | undefined> {
    const {fact, witness} = await this.#read(key)
    return fact !== null && witness !== undefined ? fact : undefined
  }

  /** Whether the key is there, or without one any, whatever it is about: a Redis that comes back empty has none. */
  async remembers(key?: string): Promise<boolean> {
    if (key === undefined) return (await this.connection.send<number>([['exists', stateKey]]))[0] === 1
    const [value] = await this.connection.send<string | null>([['hget', stateKey, factField(key)]])
    return value !== null
  }

  async set(key: string, value: string | undefined, {lock}: WriteOptions = {}): Promise<void> {
    const held = lockArguments(lock)
    const known = (await this.#read(key)).witness !== undefined
    const arrived: string[] = []
    const head: string[] = []
    if (!known) {
      const witness = JSON.stringify(randomUUID())
      arrived.push(...(await this.#markRows(witness)))
      head.push('server', await this.#identity(), 'witness', witness)
    }
    const field = factField(key)
    const answer = await this.connection.runScript(
      changeState,
      [held.key, stateKey, witnessesKey],
      [
        ...held.args,
        known ? '0' : '1',
        String(arrived.length),
        ...arrived,
        ...head,
        ...(value === undefined ? [field] : [field, value]),
      ],
    )
    if (answer === refusal.lockLost) throw loseLock(lock)
  }

  /** Finds witnesses where all were removed in good order, or nothing was there when the facts were set. */
  async findWitnesses(): Promise<void> {
    await this.#read('')
  }

  /** `witness` is undefined when what we knew was about other rows. */
  async #read(key: string): Promise<{fact: string | null; witness: string | undefined}> {
    const [known, filenames] = (await this.connection.send([
      ['hmget', stateKey, 'server', 'witness', factField(key)],
      ['smembers', witnessesKey],
    ])) as [known: (string | null)[], filenames: string[]]
    const [server, witness, fact = null] = known
    const gone = {fact, witness: undefined}
    if (typeof witness !== 'string' || server !== (await this.#identity())) return gone
    const testimonies = await this.connection.trySend<string | null>(
      filenames.map(filename => ['hget', rowKey(filename), witnessField]),
    )
    if (testimonies.some(testimony => testimony !== witness)) return gone
    if (filenames.length === 0) {
      const found = await this.#markRows(witness)
      if (found.length > 0) await this.connection.send([['sadd', witnessesKey, ...found]])
    }
    return {fact, witness}
  }

  async #markRows(witness: string): Promise<string[]> {
    const [names = []] = await this.connection.send<string[]>([
      ['srandmember', namesKey, String(wantedWitnesses)],
    ])
    const samples = await this.connection.send<string[]>(
      names.map(name => ['srandmember', filesKey(name), String(wantedWitnesses)]),
    )
    // one of each project first, then whatever there is
    const filenames = [...new Set([...samples.flatMap(some => some.slice(0, 1)), ...samples.flat()])]
    const marked: string[] = []
    for (const filename of filenames) {
      if (marked.length === wantedWitnesses) break
      const done = await this.connection.runScript(markWitness, [rowKey(filename)], [witness])
      if (done === 1) marked.push(filename)
    }
    return marked
  }
}
