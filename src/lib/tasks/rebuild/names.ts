import {randomBytes} from 'node:crypto'

/** So many are kept as they are: a megabyte, and the pages of a listing that they were cut out of. */
const mostNames = 8000
const firstSlots = 16_384
/** Of the slots. More would make looking up slow. */
const fullest = 0.75

/**
 * Remembers names. A few thousand as they are, by code that V8 has compiled; very many in 11 to 22 bytes each: 64 bits of a
 * hash with a random key. Two names may then be taken for one (at a million names once in 37 million runs), which are two
 * others in the next run.
 */
export class NameSet {
  #names: Set<string> | undefined = new Set()
  #hashed = 0
  readonly #keyA = randomBytes(4).readUInt32LE()
  readonly #keyB = randomBytes(4).readUInt32LE()
  /** Two halves of a hash each; two zeros are a free slot. */
  #slots = new Uint32Array(0)
  // the hash of the last name: returning a pair would cost more than computing it
  #a = 0
  #b = 0

  /** Names that differ. */
  get size(): number {
    return this.#names?.size ?? this.#hashed
  }

  add(name: string): void {
    if (!this.#names) this.#addHash(name)
    else if (this.#names.add(name).size > mostNames) {
      const names = this.#names
      this.#names = undefined
      this.#slots = new Uint32Array(firstSlots * 2)
      for (const each of names) this.#addHash(each)
    }
  }

  has(name: string): boolean {
    if (this.#names) return this.#names.has(name)
    this.#hash(name)
    return this.#isTaken(this.#find())
  }

  #addHash(name: string): void {
    if ((this.#hashed + 1) * 2 > this.#slots.length * fullest) this.#grow()
    this.#hash(name)
    const at = this.#find()
    if (this.#isTaken(at)) return
    this.#slots[at] = this.#a
    this.#slots[at + 1] = this.#b
    this.#hashed += 1
  }

  #isTaken(at: number): boolean {
    return this.#slots[at] !== 0 || this.#slots[at + 1] !== 0
  }

  /** Where the hash is, or the free slot where it belongs. */
  #find(): number {
    const mask = this.#slots.length / 2 - 1
    for (let slot = this.#a & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 2
      if (!this.#isTaken(at) || (this.#slots[at] === this.#a && this.#slots[at + 1] === this.#b)) return at
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    for (let from = 0; from < old.length; from += 2) {
      ;[this.#a, this.#b] = [old[from] ?? 0, old[from + 1] ?? 0]
      if (this.#a === 0 && this.#b === 0) continue
      this.#slots.set(old.subarray(from, from + 2), this.#find())
    }
  }

  /** Two multiplicative hashes of the UTF-16 units, each mixed with the other at the end (as MurmurHash3 does it). */
  #hash(name: string): void {
    let a = this.#keyA
    let b = this.#keyB
    for (let i = 0; i < name.length; i += 1) {
      const unit = name.charCodeAt(i)
      a = Math.imul(a ^ unit, 0x85ebca77)
      b = Math.imul(b ^ unit, 0xc2b2ae3d)
      a ^= a >>> 15
      b ^= b >>> 13
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
    b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
    this.#a = a >>> 0
    this.#b = b >>> 0
  }
}
