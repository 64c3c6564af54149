import {cachesMember} from '../../index/known-caches.js'
import {Notes} from '../../index/notes.js'
import {parseFilename} from '../../packaging/filenames.js'
import {normalizeName} from '../../packaging/names.js'
import {NotesOutOfReach} from '../../storage/storage.js'
import type {Run} from './file-work.js'
import {sealOrWarn} from './seals.js'
import {replacesAll} from './strategy.js'

/**
 * What the source notes of its files, the target notes too. Names that were published and deleted there stay closed to
 * the upstream index, but for those that have files at either end. Locks, and what is known of caches, stay where they are.
 */
export async function carryNotes(run: Run): Promise<void> {
  try {
    await carry(run)
  } catch (error) {
    if (!(error instanceof NotesOutOfReach)) throw error
    const {name} = run.ends.source.store
    run.report.warn(
      `what ${name} notes, such as names that were deleted there, was not carried: ${error.message}`,
    )
  }
}

async function carry({ends, plan, selection, report, options}: Run): Promise<void> {
  const [from, to] = [ends.source.store, ends.target.store]
  const noted = await new Notes(from).readLasting()
  if (noted === undefined) return
  const sealed = noted.sealed.filter(name => isSelected(name, selection.only))
  const carried = sealed.filter(name => !plan.hasProject(name))
  if (carried.length > 0) await sealOrWarn(to, carried, report)
  const others = [...noted.others].flatMap(([name, value]) => {
    if (name === cachesMember) return []
    const part = selectedPart(value, selection.only)
    return part === undefined ? [] : [[name, part] as const]
  })
  if (others.length === 0) return
  if (to.notes)
    await new Notes(to).mergeOthers(new Map(others), {wins: replacesAll(options.strategy ?? 'skip')})
  else
    report.warn(`${to.name} can't keep what ${from.name} notes as ${others.map(([name]) => name).join(', ')}`)
}

type Selected = ReadonlySet<string> | undefined

/** Of facts by project or by file name, those of the selected projects. */
function selectedPart(value: unknown, only: Selected): unknown {
  if (!only) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value).filter(([key]) => isSelected(projectOf(key), only))
  return entries.length > 0 ? Object.fromEntries(entries) : undefined
}

const isSelected = (project: string, only: Selected): boolean => only?.has(project) ?? true

function projectOf(key: string): string {
  try {
    return normalizeName(parseFilename(key).name)
  } catch {
    return normalizeName(key)
  }
}
