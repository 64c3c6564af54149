import type {TransactWriteItem} from '@aws-sdk/client-dynamodb'
import type {DistFile} from '../../packaging/dist-file.js'
import {fileCondition, summaryCondition, unchanged} from './conditions.js'
import {fileOfItem, itemOfFile, summaryItem, textOf, timeOfItem, type Item} from './items.js'
import {versionKey} from './project.js'
import {ours, type Tables} from './tables.js'

/** What shall become of one file name. */
export interface Change {
  readonly filename: string
  /** Where its row is expected to be, or will be. */
  readonly project: string
  /** The new row; undefined to remove it. */
  readonly file: DistFile | undefined
  /** Whether it may happen to what is there now. */
  allowed(row: DistFile | undefined): boolean
}

/** What was read before, each by a consistent read; every part is a condition of the write. */
export interface Snapshot {
  /** By file name. */
  readonly files: ReadonlyMap<string, Item>
  /** By project. */
  readonly summaries: ReadonlyMap<string, Item>
  /** How often we have written each project: two of us never work from the same one. */
  readonly versions: ReadonlyMap<string, number>
}

/** A step, and when it may be taken where there are no transactions: readers then see a file before its project goes. */
export interface Step {
  readonly order: 'claim' | 'project' | 'name' | 'file' | 'name gone' | 'project gone' | 'check'
  readonly write: TransactWriteItem
  readonly filename?: string
}

/** One project within a write. */
export class ProjectPlan {
  /** New items, by file name. */
  readonly puts = new Map<string, Item>()
  /** Items that leave it. */
  readonly gone = new Map<string, Item>()

  constructor(
    readonly project: string,
    private readonly snapshot: Snapshot,
    private readonly tables: Tables,
  ) {}

  put(file: DistFile): void {
    this.puts.set(file.filename, itemOfFile(file, this.snapshot.files.get(file.filename)))
  }

  /**
   * Whether the newest file may have gone or become older, so that only a look at all of them tells which is it now.
   * What is removed always asks for it: the project may be empty.
   */
  get needsAll(): boolean {
    const summary = this.snapshot.summaries.get(this.project)
    if (this.gone.size > 0) return true
    if (!summary) return false
    const newest = timeOfItem(summary)
    const replaced = Array.from(this.puts.keys(), name => this.snapshot.files.get(name))
    return replaced.some(item => item && timeOfItem(item) >= newest) && !this.#newestPut(newest)
  }

  /** @param all the project's items before the write, if `needsAll`. @returns the steps, and whether no file is left. */
  steps(all: ReadonlyMap<string, Item> | undefined): {steps: Step[]; isEmpty: boolean} {
    const left = [...(all ?? []), ...this.puts].filter(
      ([filename]) => !this.gone.has(filename) || this.puts.has(filename),
    )
    const isEmpty = left.length === 0
    const steps: Step[] = [this.#claim(), this.#summaryStep(isEmpty, all && newestOf(new Map(left).values()))]
    for (const [filename, item] of this.puts) {
      const before = this.snapshot.files.get(filename)
      steps.push({
        order: 'name',
        write: {Put: {TableName: this.tables.ours, Item: this.#nameKey(filename)}},
      })
      steps.push({
        order: 'file',
        filename,
        write: {Put: {TableName: this.tables.files, Item: item, ...fileCondition(before)}},
      })
    }
    for (const filename of this.gone.keys()) {
      steps.push({
        order: 'name gone',
        write: {Delete: {TableName: this.tables.ours, Key: this.#nameKey(filename)}},
      })
    }
    return {steps, isEmpty}
  }

  #nameKey(filename: string): Item {
    return {part: {S: ours.filesOf(this.project)}, name: {S: filename}}
  }

  #claim(): Step {
    const version = this.snapshot.versions.get(this.project)
    const condition = unchanged(
      version === undefined ? undefined : {version: {N: String(version)}},
      'version',
      [['version']],
    )
    return {
      order: 'claim',
      write: {
        Update: {
          TableName: this.tables.ours,
          Key: versionKey(this.project),
          UpdateExpression: 'SET #v = :next',
          ...condition,
          ExpressionAttributeNames: {...condition.ExpressionAttributeNames, '#v': 'version'},
          ExpressionAttributeValues: {
            ...condition.ExpressionAttributeValues,
            ':next': {N: String((version ?? 0) + 1)},
          },
        },
      },
    }
  }

  #summaryStep(isEmpty: boolean, newestOfAll: Item | undefined): Step {
    const before = this.snapshot.summaries.get(this.project)
    const TableName = this.tables.projects
    const Key = {name: {S: this.project}}
    const condition = summaryCondition(before)
    if (isEmpty) return {order: 'project gone', write: {Delete: {TableName, Key, ...condition}}}
    const newest = newestOfAll ?? this.#newestPut(before && timeOfItem(before))
    const after = newest && summaryItem(newest)
    return after && !isSame(after, before)
      ? {order: 'project', write: {Put: {TableName, Item: after, ...condition}}}
      : {order: 'check', write: {ConditionCheck: {TableName, Key, ...condition}}}
  }

  /** The newest of the new items, unless it is older than `atLeast`. */
  #newestPut(atLeast: Date | undefined): Item | undefined {
    const newest = newestOf(this.puts.values())
    return newest && (!atLeast || timeOfItem(newest) >= atLeast) ? newest : undefined
  }
}

function newestOf(items: Iterable<Item>): Item | undefined {
  let newest: Item | undefined
  for (const item of items) if (!newest || isNewer(item, newest)) newest = item
  return newest
}

const isNewer = (a: Item, b: Item): boolean =>
  timeOfItem(a) > timeOfItem(b) ||
  (timeOfItem(a).getTime() === timeOfItem(b).getTime() &&
    (textOf(a, 'filename') ?? '') > (textOf(b, 'filename') ?? ''))

const isSame = (a: Item, b: Item | undefined): boolean =>
  b !== undefined &&
  a['last_modified']?.N === b['last_modified']?.N &&
  textOf(a, 'summary') === textOf(b, 'summary')

export const rowOf = (snapshot: Snapshot, filename: string): DistFile | undefined => {
  const item = snapshot.files.get(filename)
  return item && fileOfItem(item)
}
