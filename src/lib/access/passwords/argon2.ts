import {randomBytes} from 'node:crypto'
import type {Scheme} from './scheme.js'

/** passlib's defaults on pypicloud 1.3.12: KiB, lanes. */
const memory = 65_536
const lanes = 4
/** KiB × passes that one verification may cost: 4 GiB once, or 64 MiB 64 times. */
const maxStoredWork = 2 ** 22

const pattern =
  /^\$argon2(id|i|d)\$(?:v=(16|19)\$)?m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,2})\$([+/0-9A-Za-z]+)\$([+/0-9A-Za-z]+)$/
const bare = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')

const load = async () => import('@node-rs/argon2')

export const argon2: Scheme = {
  rounds: {default: 1, min: 1, max: 0xffff_ffff},
  prefixes: ['$argon2id$', '$argon2i$', '$argon2d$'],
  problem(hash) {
    const match = pattern.exec(hash)
    if (!match) return 'the hash is cut off or damaged'
    const [m, t, p] = [Number(match[3]), Number(match[4]), Number(match[5])]
    if (m < 8 * p || p > 255) return `m=${m},p=${p} is not possible`
    return m * t > maxStoredWork ? `m=${m},t=${t} is more work than can be meant` : undefined
  },
  hash: async (password, rounds) => {
    const library = await load()
    return library.hashSync(password, {memoryCost: memory, timeCost: rounds, parallelism: lanes})
  },
  verify: async (password, hash) => {
    const library = await load()
    try {
      return library.verifySync(hash, password)
    } catch {
      return false // a salt or checksum of an impossible length
    }
  },
  costOf: hash => {
    const [, , , m, t] = pattern.exec(hash) ?? []
    return (Number(m) / memory) * Number(t)
  },
  decoy: rounds =>
    `$argon2id$v=19$m=${memory},t=${rounds},p=${lanes}$${bare(randomBytes(16))}$${bare(randomBytes(32))}`,
}
