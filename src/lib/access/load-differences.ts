import type {LoadDifference} from './access.js'

/** What a load changes, by kind, in the order in which it does so, with some names of each kind. */
export class LoadDifferences {
  readonly #found = new Map<
    string,
    {-readonly [K in keyof LoadDifference]: LoadDifference[K]} & {names: string[]}
  >()

  /** @param maxNames of each kind; 0 only counts */
  constructor(readonly maxNames: number) {}

  /** @param names the first of them, as many as are wanted at most */
  add(
    change: LoadDifference['change'],
    kind: LoadDifference['kind'],
    count: number,
    names: readonly string[],
  ): void {
    if (count === 0) return
    const key = `${change} ${kind}`
    let found = this.#found.get(key)
    if (!found) this.#found.set(key, (found = {change, kind, count: 0, names: []}))
    found.count += count
    found.names.push(...names.slice(0, this.maxNames - found.names.length))
  }

  list(): LoadDifference[] {
    return [...this.#found.values()]
  }
}
