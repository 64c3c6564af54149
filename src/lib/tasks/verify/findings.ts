/*
 * missing     the cache lists a file that the storage does not have       --repair: leaves the list, its name stays reserved
 * unlisted    the storage has a file that the cache does not list         --repair: is listed
 * outdated    the cache says something else of a file than the storage    --repair: as the storage says
 * misplaced   a directory spelt in a way that nobody looks under          --repair: moves to where it belongs
 * leftover    what an interrupted upload left                             --repair: goes, once it is a day old
 * damaged     the bytes are not those that were published
 * unreadable  it may be a distribution file, but can't be looked at or read now
 * doubled     two objects have one file name
 * stray       no distribution file
 */
export const findingKinds = [
  'missing',
  'unlisted',
  'outdated',
  'misplaced',
  'leftover',
  'damaged',
  'unreadable',
  'doubled',
  'stray',
] as const
export type FindingKind = (typeof findingKinds)[number]

export interface Finding {
  readonly kind: FindingKind
  /** Key of the object, or of the one that a row means. */
  readonly key: string
  /** What is wrong, to be read after the key. */
  readonly reason: string
  readonly repaired?: boolean
}

const kept = 1000

/** Counts everything and keeps the first thousand. */
export class Findings {
  readonly #first: Finding[] = []
  readonly #counts = new Map<FindingKind, number>()
  readonly #repaired = new Map<FindingKind, number>()

  /** @param onFinding is told each of them, kept or not. */
  constructor(private readonly onFinding: (finding: Finding) => void = () => undefined) {}

  add(finding: Finding): void {
    const {kind, repaired = false} = finding
    this.#counts.set(kind, this.count(kind) + 1)
    if (repaired) this.#repaired.set(kind, (this.#repaired.get(kind) ?? 0) + 1)
    if (this.#first.length < kept) this.#first.push(finding)
    this.onFinding(finding)
  }

  count(kind: FindingKind): number {
    return this.#counts.get(kind) ?? 0
  }

  get first(): readonly Finding[] {
    return this.#first
  }

  /** Those that are left, of all kinds. */
  get open(): number {
    const sum = (counts: ReadonlyMap<FindingKind, number>) => [...counts.values()].reduce((a, b) => a + b, 0)
    return sum(this.#counts) - sum(this.#repaired)
  }

  /** Of every kind, zeros included. */
  get counts(): Readonly<Record<FindingKind, number>> {
    return Object.fromEntries(findingKinds.map(kind => [kind, this.count(kind)])) as Record<
      FindingKind,
      number
    >
  }
}
