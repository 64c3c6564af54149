import {pbkdf2Sync, randomBytes, timingSafeEqual} from 'node:crypto'
import {maxStoredRounds, type Scheme} from './scheme.js'

/** passlib's "adapted base64": the standard alphabet with `.` for `+`, without padding. */
const encode = (bytes: Buffer): string => bytes.toString('base64').replaceAll('+', '.').replaceAll('=', '')
const decode = (text: string): Buffer => Buffer.from(text.replaceAll('.', '+'), 'base64')

function pbkdf2(algorithm: 'sha512' | 'sha256', defaultRounds: number): Scheme {
  const size = algorithm === 'sha512' ? 64 : 32
  const prefix = `$pbkdf2-${algorithm}$`
  const pattern = /^([1-9]\d*)\$([./0-9A-Za-z]*)\$([./0-9A-Za-z]+)$/
  const parse = (hash: string) => {
    const match = pattern.exec(hash.slice(prefix.length))
    if (!match) return undefined
    const [, rounds, salt = '', checksum = ''] = match
    return {rounds: Number(rounds), salt: decode(salt), checksum: decode(checksum)}
  }
  const format = (rounds: number, salt: Buffer, checksum: Buffer) =>
    `${prefix}${rounds}$${encode(salt)}$${encode(checksum)}`
  return {
    rounds: {default: defaultRounds, min: 1, max: 0xffff_ffff},
    prefixes: [prefix],
    problem(hash) {
      const parsed = parse(hash)
      if (parsed?.checksum.length !== size) return 'the hash is cut off or damaged'
      if (parsed.rounds > maxStoredRounds) return `${parsed.rounds} rounds are more than ${maxStoredRounds}`
      return undefined
    },
    hash: (password, rounds) => {
      const salt = randomBytes(16)
      return Promise.resolve(format(rounds, salt, pbkdf2Sync(password, salt, rounds, size, algorithm)))
    },
    verify: (password, hash) => {
      const parsed = parse(hash)
      if (!parsed) return Promise.resolve(false)
      const checksum = pbkdf2Sync(password, parsed.salt, parsed.rounds, size, algorithm)
      return Promise.resolve(timingSafeEqual(checksum, parsed.checksum))
    },
    costOf: hash => parse(hash)?.rounds ?? 0,
    decoy: rounds => format(rounds, randomBytes(16), randomBytes(size)),
  }
}

export const pbkdf2Sha512 = pbkdf2('sha512', 10_500)
export const pbkdf2Sha256 = pbkdf2('sha256', 13_000)
