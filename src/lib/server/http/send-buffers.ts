/** Bytes. Below, system calls cost; above, the processor's cache does. */
const usual = 512 * 1024
/** For the downloads beyond `most`, so that many slow clients don't hold much memory. */
const small = 64 * 1024
const most = 32

const free: Buffer[] = []
let taken = 0

/** A buffer to send a file from. `giveBack` it. */
export function takeBuffer(): Buffer {
  if (taken >= most) return Buffer.allocUnsafeSlow(small)
  taken += 1
  return free.pop() ?? Buffer.allocUnsafeSlow(usual)
}

/** @param reusable whether nobody else can still be reading it. */
export function giveBack(buffer: Buffer, reusable: boolean): void {
  if (buffer.length !== usual) return
  taken -= 1
  if (reusable) free.push(buffer)
}
