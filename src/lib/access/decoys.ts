import {createHmac, randomBytes} from 'node:crypto'
import {costOf, decoyHash, type PasswordScheme} from './passwords/index.js'

/** Ways of hashing that an installation mixes at most. */
const maxKinds = 16

/**
 * Hashes that no password has, verified for users that don't exist: they must take as long as users who do. Where stored
 * hashes are of several kinds, so are these, always the same for one name.
 */
export class Decoys {
  readonly #key = randomBytes(32)
  readonly #hashes: string[]
  readonly #kinds: Set<string>

  /** @param scheme of new passwords: most stored ones will be like them */
  constructor(scheme: PasswordScheme, rounds: number | undefined) {
    this.#hashes = [decoyHash(scheme, rounds)]
    this.#kinds = new Set(this.#hashes.map(kindOf))
  }

  /** From now on there are decoys like this stored hash. */
  learn(stored: string): void {
    const kind = kindOf(stored)
    const cost = this.#kinds.has(kind) || this.#kinds.size >= maxKinds ? undefined : costOf(stored)
    if (!cost) return
    this.#kinds.add(kind)
    this.#hashes.push(decoyHash(cost.scheme, cost.rounds))
  }

  for(username: string): string {
    const number = createHmac('sha256', this.#key).update(username).digest().readUInt32BE()
    return this.#hashes[number % this.#hashes.length] ?? ''
  }
}

/** Scheme and rounds; empty for what is no hash. */
function kindOf(hash: string): string {
  const cost = costOf(hash)
  return cost ? `${cost.scheme} ${cost.rounds}` : ''
}
