import {timingSafeEqual} from 'node:crypto'
import {randomText, type Scheme} from './scheme.js'

/** Above this one verification takes more than a minute. */
const maxStoredCost = 20
const pattern = /^\$2[aby]?\$(\d\d)\$[./0-9A-Za-z]{53}$/
/** 22 characters of salt end here, 31 of the checksum follow. */
const checksumOf = (hash: string): string => hash.slice(-31)

const load = async () => (await import('bcryptjs')).default

export const bcrypt: Scheme = {
  rounds: {default: 7, min: 4, max: 31},
  prefixes: ['$2$', '$2a$', '$2b$', '$2y$'],
  problem(hash) {
    const match = pattern.exec(hash)
    if (!match) return 'the hash is cut off or damaged'
    const cost = Number(match[1])
    return cost < 4 || cost > maxStoredCost
      ? `a cost of ${cost} is not between 4 and ${maxStoredCost}`
      : undefined
  },
  hash: async (password, rounds) => {
    const library = await load()
    return library.hashSync(password, library.genSaltSync(rounds))
  },
  verify: async (password, hash) => {
    if (password.includes('\0')) return false
    const library = await load()
    const computed = library.hashSync(password, hash.slice(0, -31))
    // by bytes, not by text: some old writers left the unused bits of the last characters set
    const bytes = (text: string) => Buffer.from(library.decodeBase64(checksumOf(text), 23))
    return timingSafeEqual(bytes(computed), bytes(hash))
  },
  costOf: hash => Number(pattern.exec(hash)?.[1]),
  // "." ends the salt and the checksum: their unused bits are zero
  decoy: rounds => `$2b$${String(rounds).padStart(2, '0')}$${randomText(21)}.${randomText(30)}.`,
}
