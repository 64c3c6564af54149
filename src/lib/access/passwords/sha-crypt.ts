import {hash as oneShot, timingSafeEqual} from 'node:crypto'
import {cryptAlphabet, maxStoredRounds, randomText, type Scheme} from './scheme.js'

interface Variant {
  readonly algorithm: 'sha512' | 'sha256'
  readonly prefix: '$6$' | '$5$'
  readonly defaultRounds: number
  readonly checksumLength: number
  /** Bytes of the digest in the order in which three at a time become four characters; -1 stands for a zero. */
  readonly order: readonly number[]
}

/** Rounds of a hash that has no `rounds=`; passlib leaves it out exactly then. */
const implicitRounds = 5000
const minRounds = 1000

/** The triples rotate: 0 21 42, 22 43 1, 44 2 23 … as the specification's table has them. */
const order512 = [
  ...Array.from({length: 21}, (_, row) => {
    const start = [0, 21, 42].map(column => column + row)
    const turn = row % 3
    return [...start.slice(turn), ...start.slice(0, turn)]
  }).flat(),
  -1,
  -1,
  63,
]
const order256 = [
  ...Array.from({length: 10}, (_, row) => {
    const start = [0, 10, 20].map(column => column + row)
    const turn = (3 - (row % 3)) % 3
    return [...start.slice(turn), ...start.slice(0, turn)]
  }).flat(),
  -1,
  31,
  30,
]

const repeat = (block: Buffer, length: number): Buffer => Buffer.alloc(length, block)

/** `rounds` turns of SHA-crypt (Drepper, "Unix crypt using SHA-256 and SHA-512", 2007). */
function digest({algorithm}: Variant, key: Buffer, salt: Buffer, rounds: number): Buffer {
  const sha = (...parts: Buffer[]): Buffer => oneShot(algorithm, Buffer.concat(parts), 'buffer')
  const size = algorithm === 'sha512' ? 64 : 32

  const alternate = sha(key, salt, key)
  const start = [key, salt, key.length === 0 ? key : repeat(alternate, key.length)]
  for (let bits = key.length; bits > 0; bits >>>= 1) start.push(bits & 1 ? alternate : key)
  let current = sha(...start)

  const p = key.length === 0 ? key : repeat(sha(...Array<Buffer>(key.length).fill(key)), key.length)
  const saltSum = sha(...Array<Buffer>(16 + current.readUInt8(0)).fill(salt))
  const s = salt.length === 0 ? salt : repeat(saltSum, salt.length)

  // What is hashed in a round depends on its number modulo 2, 3 and 7 only: 42 blocks with a hole for the digest.
  const blocks = Array.from({length: 42}, (_, round) => {
    const middle = [...(round % 3 ? [s] : []), ...(round % 7 ? [p] : [])]
    const hole = Buffer.alloc(size)
    const parts = round % 2 ? [p, ...middle, hole] : [hole, ...middle, p]
    const bytes = Buffer.concat(parts)
    return {bytes, hole: round % 2 ? bytes.length - size : 0}
  })
  for (let round = 0, turn = 0; round < rounds; round++) {
    const block = blocks[turn] as (typeof blocks)[number]
    current.copy(block.bytes, block.hole)
    current = oneShot(algorithm, block.bytes, 'buffer')
    turn = turn === 41 ? 0 : turn + 1
  }
  return current
}

function encode(sum: Buffer, order: readonly number[], length: number): string {
  let text = ''
  const at = (index: number): number => {
    const byte = order[index] ?? -1
    return byte < 0 ? 0 : sum.readUInt8(byte)
  }
  for (let index = 0; index < order.length; index += 3) {
    let bits = (at(index) << 16) | (at(index + 1) << 8) | at(index + 2)
    for (let left = 4; left > 0 && text.length < length; left--, bits >>>= 6) {
      text += cryptAlphabet.charAt(bits & 63)
    }
  }
  return text
}

function shaCrypt(variant: Variant): Scheme {
  const {prefix, checksumLength} = variant
  const pattern = new RegExp(
    `^\\${prefix[0]}${prefix[1]}\\$(?:rounds=([1-9]\\d*)\\$)?([./0-9A-Za-z]{0,16})\\$([./0-9A-Za-z]{${checksumLength}})$`,
  )
  const parse = (hash: string) => {
    const match = pattern.exec(hash)
    if (!match) return undefined
    const [, rounds, salt = '', checksum = ''] = match
    return {rounds: rounds === undefined ? implicitRounds : Number(rounds), salt, checksum}
  }
  const compute = (password: string, salt: string, rounds: number) =>
    encode(digest(variant, Buffer.from(password), Buffer.from(salt), rounds), variant.order, checksumLength)
  const format = (rounds: number, salt: string, checksum: string) =>
    `${prefix}${rounds === implicitRounds ? '' : `rounds=${rounds}$`}${salt}$${checksum}`
  return {
    rounds: {default: variant.defaultRounds, min: minRounds, max: 999_999_999},
    prefixes: [prefix],
    problem(hash) {
      const parsed = parse(hash)
      if (!parsed) return 'the hash is cut off or damaged'
      if (parsed.rounds < minRounds) return `${parsed.rounds} rounds are fewer than ${minRounds}`
      if (parsed.rounds > maxStoredRounds) return `${parsed.rounds} rounds are more than ${maxStoredRounds}`
      return undefined
    },
    hash: (password, rounds) => {
      const salt = randomText(16)
      return Promise.resolve(format(rounds, salt, compute(password, salt, rounds)))
    },
    verify: (password, hash) => {
      const parsed = parse(hash)
      if (!parsed || password.includes('\0')) return Promise.resolve(false)
      const checksum = compute(password, parsed.salt, parsed.rounds)
      return Promise.resolve(timingSafeEqual(Buffer.from(checksum), Buffer.from(parsed.checksum)))
    },
    costOf: hash => parse(hash)?.rounds ?? 0,
    decoy: rounds => format(rounds, randomText(16), randomText(checksumLength)),
  }
}

export const sha512Crypt = shaCrypt({
  algorithm: 'sha512',
  prefix: '$6$',
  defaultRounds: 20_500,
  checksumLength: 86,
  order: order512,
})
export const sha256Crypt = shaCrypt({
  algorithm: 'sha256',
  prefix: '$5$',
  defaultRounds: 16_000,
  checksumLength: 43,
  order: order256,
})
