/** Of two texts the one whose UTF-8 is first; JavaScript's own order differs beyond U+FFFF. SQLite and Python sort so. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    const [xIsHalf, yIsHalf] = [isSurrogate(x), isSurrogate(y)]
    return xIsHalf === yIsHalf ? x - y : xIsHalf ? 1 : -1
  }
  return a.length - b.length
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff
