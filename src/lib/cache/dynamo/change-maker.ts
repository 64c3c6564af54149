import pLimit from 'p-limit'
import type {DistFile} from '../../packaging/dist-file.js'
import {sameRow} from '../cache.js'
import {fileCondition} from './conditions.js'
import type {DynamoClient} from './client.js'
import {textOf, type Item} from './items.js'
import type {DynamoLock} from './lock.js'
import {ProjectPlan, rowOf, type Change, type Snapshot, type Step} from './plan.js'
import {readProject, readProjects} from './project.js'
import {getItemsOf} from './reads.js'
import type {Tables} from './tables.js'
import {mostSteps, StepWriter, untilDone} from './writes.js'

/** What a batch came to. */
export interface Outcome {
  /** File names whose change was made, with the row that was there before. */
  readonly made: Map<string, DistFile | undefined>
  /** Projects whose last file went. */
  readonly emptied: Set<string>
}

/** How many transactions are under way at once; each has its own copy of a lock's token to check. */
export const lanes = 8
/** Steps of one transaction as planned: room is left for files that come from another project. */
const plannedSteps = 90

/**
 * Makes changes, each with its project's item and counter in one transaction. A batch that does not fit into one (about
 * 44 files of a project, or 22 projects of one file) is made in several: whole projects as far as possible, and every
 * file with its project. Where such a batch breaks off, what was made is whole in itself, and making it again does the rest.
 */
export class ChangeMaker {
  readonly #writer: StepWriter

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
  ) {
    this.#writer = new StepWriter(client, tables)
  }

  /** @throws {LockLost} {Unavailable} */
  async make(changes: readonly Change[], lock?: DynamoLock): Promise<Outcome> {
    const outcome: Outcome = {made: new Map(), emptied: new Set()}
    const free = Array.from({length: lanes}, (_, lane) => lane)
    const limit = pLimit(lanes)
    await Promise.all(
      sequencesOf(changes).map(sequence =>
        limit(async () => {
          const lane = free.pop() ?? 0
          try {
            for (const part of sequence) await this.#makePart(part, lane, outcome, lock)
          } finally {
            free.push(lane)
          }
        }),
      ),
    )
    return outcome
  }

  async #makePart(
    changes: readonly Change[],
    lane: number,
    outcome: Outcome,
    lock: DynamoLock | undefined,
  ): Promise<void> {
    const guard = lock?.guard(lane)
    const earlier = new Map<string, DistFile | undefined>()
    const result = await untilDone(this.client, async () => {
      const snapshot = await this.#read(changes)
      const wanted = changes.filter(change => isWanted(change, rowOf(snapshot, change.filename), earlier))
      const {steps, emptied} = await this.#plan(wanted, snapshot)
      if (steps.length >= mostSteps && changes.length > 1) return 'too large'
      const written: Awaited<ReturnType<StepWriter['write']>> =
        steps.length === 0 ? {outcome: 'done'} : await this.#writer.write(steps, guard)
      if (written.outcome === 'again') {
        for (const name of written.files) if (!earlier.has(name)) earlier.set(name, rowOf(snapshot, name))
        return undefined
      }
      for (const {filename} of wanted) {
        outcome.made.set(filename, earlier.has(filename) ? earlier.get(filename) : rowOf(snapshot, filename))
      }
      for (const project of emptied) outcome.emptied.add(project)
      return 'done'
    })
    if (result === 'done') return
    const half = Math.ceil(changes.length / 2)
    await this.#makePart(changes.slice(0, half), lane, outcome, lock)
    await this.#makePart(changes.slice(half), lane, outcome, lock)
  }

  async #read(changes: readonly Change[]): Promise<Snapshot> {
    const keys = changes.map(({filename}) => ({filename: {S: filename}}))
    const names = new Set(changes.map(({project}) => project))
    const [items, known] = await Promise.all([
      getItemsOf(this.client, {table: this.tables.files, keys}),
      readProjects(this.client, this.tables, [...names]),
    ])
    const files = new Map<string, Item>(items.map(item => [textOf(item, 'filename') ?? '', item]))
    const others = new Set(items.flatMap(item => textOf(item, 'name') ?? []).filter(name => !names.has(name)))
    if (others.size === 0) return {files, ...known}
    const more = await readProjects(this.client, this.tables, [...others])
    return {
      files,
      summaries: new Map([...known.summaries, ...more.summaries]),
      versions: new Map([...known.versions, ...more.versions]),
    }
  }

  async #plan(
    changes: readonly Change[],
    snapshot: Snapshot,
  ): Promise<{steps: Step[]; emptied: readonly string[]}> {
    const plans = new Map<string, ProjectPlan>()
    const planOf = (project: string) => {
      const plan = plans.get(project) ?? new ProjectPlan(project, snapshot, this.tables)
      plans.set(project, plan)
      return plan
    }
    const removals: Step[] = []
    for (const change of changes) {
      const before = snapshot.files.get(change.filename)
      const project = textOf(before, 'name')
      if (change.file) planOf(change.file.name).put(change.file)
      if (before && project && project !== change.file?.name)
        planOf(project).gone.set(change.filename, before)
      if (!change.file) removals.push(removal(this.tables, change.filename, before))
      if (!change.file && !project) planOf(change.project).gone.set(change.filename, before ?? {})
    }
    const emptied: string[] = []
    const steps = await Promise.all(
      Array.from(plans.values(), async plan => {
        const all = plan.needsAll ? await readProject(this.client, this.tables, plan.project) : undefined
        const made = plan.steps(all)
        if (made.isEmpty) emptied.push(plan.project)
        return made.steps
      }),
    )
    return {steps: [...steps.flat(), ...removals], emptied}
  }
}

const removal = (tables: Tables, filename: string, before: Item | undefined): Step => ({
  order: 'file',
  filename,
  write: {
    Delete: {TableName: tables.files, Key: {filename: {S: filename}}, ...fileCondition(before)},
  },
})

/** Also what an earlier attempt has made itself: its project is still to be brought in step. */
function isWanted(
  change: Change,
  row: DistFile | undefined,
  earlier: ReadonlyMap<string, DistFile | undefined>,
): boolean {
  const {file} = change
  if (!earlier.has(change.filename)) return change.allowed(row)
  return file && row ? sameRow(row, file) : file === row
}

/** Parts for a transaction each; those of one sequence are made one after the other, since they share a project. */
function sequencesOf(changes: readonly Change[]): Change[][][] {
  const byProject = new Map<string, Change[]>()
  for (const change of changes) {
    const group = byProject.get(change.project)
    if (group) group.push(change)
    else byProject.set(change.project, [change])
  }
  const sequences: Change[][][] = []
  let shared: Change[] = []
  let steps = 0
  const perProject = Math.floor((plannedSteps - 2) / 2)
  for (const group of byProject.values()) {
    if (group.length > perProject) {
      sequences.push(
        Array.from({length: Math.ceil(group.length / perProject)}, (_, part) =>
          group.slice(part * perProject, (part + 1) * perProject),
        ),
      )
      continue
    }
    const needed = 2 + 2 * group.length
    if (steps + needed > plannedSteps) {
      sequences.push([shared])
      shared = []
      steps = 0
    }
    shared.push(...group)
    steps += needed
  }
  if (shared.length > 0) sequences.push([shared])
  return sequences
}
