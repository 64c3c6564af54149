import {InvalidInput} from '../errors.js'

const block = 512 // bytes

/**
 * Follows the blocks of a tar as Python's tarfile does, which stops at the first empty header, and sees to it that
 * nothing is hidden behind that one. Relies on sizes being told in the header alone (see checkEntry).
 */
export class TarEnd {
  #header = Buffer.alloc(block)
  #have = 0 // bytes of the header
  #skip = 0 // bytes of content and padding
  #ended = false

  /** @param chunk what comes next, of any length. @throws {InvalidInput} */
  check(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#ended) {
        if (!isZero(chunk.subarray(at))) throw new InvalidInput('there is data behind its end')
        return
      }
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        at += skipped
        continue
      }
      const copied = chunk.copy(this.#header, this.#have, at, at + block - this.#have)
      this.#have += copied
      at += copied
      if (this.#have === block) this.#read()
    }
  }

  #read(): void {
    this.#have = 0
    if (isZero(this.#header)) this.#ended = true
    else this.#skip = Math.ceil(sizeIn(this.#header) / block) * block
  }
}

const isZero = (bytes: Buffer): boolean => bytes.every(byte => byte === 0)

/** Octal text or, with the top bit set, a big-endian number. */
function sizeIn(header: Buffer): number {
  const field = header.subarray(124, 136)
  if ((field[0] ?? 0) & 0x80) return field.readUIntBE(6, 6)
  const size = Number.parseInt(field.toString('latin1').replace(/\0.*$/s, '').trim() || '0', 8)
  if (!Number.isSafeInteger(size)) throw new InvalidInput('the size of an entry is no number')
  return size
}
