/** The candidate that `text` most likely stands for: differs by a few letters, or ends alike. */
export function suggest(text: string, candidates: Iterable<string>): string | undefined {
  const wanted = comparable(text)
  const allowed = Math.max(1, Math.min(3, Math.floor(wanted.length / 5)))
  let best: {candidate: string; distance: number} | undefined
  let sameEnd: string | undefined
  for (const candidate of candidates) {
    const known = comparable(candidate)
    const distance = Math.abs(known.length - wanted.length) > allowed ? Infinity : editDistance(wanted, known)
    if (distance <= allowed && distance < (best?.distance ?? Infinity)) best = {candidate, distance}
    if (lastPart(known) === lastPart(wanted) && lastPart(wanted).length > 3) sameEnd ??= candidate
  }
  return best?.candidate ?? sameEnd
}

const comparable = (text: string): string => text.toLowerCase().replaceAll('-', '_')
const lastPart = (text: string): string => text.slice(text.lastIndexOf('.') + 1)

/** How many letters to insert, delete, replace or swap with their neighbour. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({length: b.length + 1}, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + differs,
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforePrevious[column - 2] ?? 0) + 1)
      }
      current.push(cost)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length] ?? 0
}
