const MiB = 1 << 20
/** What S3 takes at least. Small parts and few at once keep memory low and the line busy. */
const smallestPart = 5 * MiB
const mostParts = 10_000
const mostAtOnce = 4
export const largestObject = 5 * 1024 ** 4 // bytes
/** Bytes: two uploads of the usual parts, or one of larger parts. */
export const partBudget = 2 * mostAtOnce * smallestPart

/** @param size of the object. @returns bytes of a part, and how many are in memory and on their way at the same time. */
export function partsOf(size: number): {partSize: number; partsAtOnce: number} {
  const partSize = Math.max(smallestPart, Math.ceil(size / mostParts / MiB) * MiB)
  return {partSize, partsAtOnce: Math.max(1, Math.min(mostAtOnce, Math.floor(partBudget / 2 / partSize)))}
}
