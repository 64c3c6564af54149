/** Some of the bytes of a buffer. */
interface Place {
  bytes: Buffer
  start: number
  end: number
}

/**
 * The texts of many objects one behind the other, as bytes. Of the ten thousand files of a page, few are others than those of the page
 * before: what stays is copied from that page in long pieces, where to join and encode ten thousand texts takes ten times as long.
 */
export class JoinedBytes<T extends object> {
  /** Where each object is in what was joined last: those bytes live as long as their objects do. */
  readonly #places = new WeakMap<T, Place>()
  readonly #separator: Place

  /** @param textOf what an object is written as: always the same. */
  constructor(
    private readonly textOf: (object: T) => string,
    separator = '',
  ) {
    this.#separator = placeOf(separator)
  }

  join(head: string, objects: readonly T[], tail: string): Buffer {
    const first = placeOf(head)
    const places = objects.map(object => this.#places.get(object) ?? placeOf(this.textOf(object)))
    const bytes = concat([first, ...this.#pieces(places), placeOf(tail)])
    let start = first.end
    places.forEach((place, index) => {
      place.end = start + place.end - place.start
      place.start = start
      place.bytes = bytes
      this.#places.set(objects[index] as T, place)
      start = place.end + this.#separator.end
    })
    return bytes
  }

  /** What was together before is one piece, with the separators in it. */
  #pieces(places: readonly Place[]): Place[] {
    const pieces: Place[] = []
    let last: Place | undefined
    for (const place of places) {
      if (last?.bytes === place.bytes && last.end + this.#separator.end === place.start) {
        last.end = place.end
        continue
      }
      if (last) pieces.push(this.#separator)
      pieces.push((last = {...place}))
    }
    return pieces
  }
}

function placeOf(text: string): Place {
  const bytes = Buffer.from(text)
  return {bytes, start: 0, end: bytes.length}
}

const concat = (pieces: readonly Place[]): Buffer =>
  Buffer.concat(pieces.map(({bytes, start, end}) => bytes.subarray(start, end)))
