/*
 * The dialect that Python's configparser reads (COMPAT §1.1):
 *
 *   [section]                 what stands behind the last ] is ignored
 *   key = value               or key: value; the case of keys counts
 *   key =                     lines that are indented deeper than the key
 *       first                 continue its value, empty lines included
 *       second
 *   # comment, ; comment      on lines of their own only: a = b ; c is the value "b ; c"
 */
import type {ConfigProblem} from './problems.js'

export interface IniEntry {
  readonly key: string
  /** Before interpolation; the lines of a value joined by `\n`, without blanks around each. */
  readonly value: string
  /** 1-based, of the key. */
  readonly line: number
}
export interface IniSection {
  readonly name: string
  readonly line: number
  readonly entries: ReadonlyMap<string, IniEntry>
}
export interface IniFile {
  /** Absolute. */
  readonly path: string
  /** Without `[DEFAULT]`. */
  readonly sections: ReadonlyMap<string, IniSection>
  /** `[DEFAULT]`. */
  readonly defaults: ReadonlyMap<string, IniEntry>
}

interface OpenEntry {
  readonly key: string
  readonly lines: string[]
  readonly line: number
}
interface OpenSection {
  readonly name: string
  readonly line: number
  readonly entries: Map<string, OpenEntry>
}

/** Never throws: what can't be read is added to `problems`, and skipped. */
export function parseIni(content: string, path: string, problems: ConfigProblem[]): IniFile {
  const defaults: OpenSection = {name: 'DEFAULT', line: 0, entries: new Map()}
  const sections = new Map<string, OpenSection>()
  let section: OpenSection | undefined
  let entry: OpenEntry | undefined
  let indent = 0

  for (const [index, text] of content.split(/\r\n|\r|\n/).entries()) {
    const line = index + 1
    const report = (message: string, key?: string) => problems.push({file: path, line, key, message})
    const stripped = text.trim()
    if (/^[#;]/.test(stripped)) continue
    if (stripped === '') {
      entry?.lines.push('')
      continue
    }
    const depth = text.search(/\S/)
    if (entry && depth > indent) {
      entry.lines.push(stripped)
      continue
    }
    indent = depth
    entry = undefined
    const header = /^\[(.+)\]/.exec(stripped)?.[1]
    if (header !== undefined) {
      const known = sections.get(header)
      if (known) report(`section [${header}] was there before, in line ${known.line}`)
      section = header === 'DEFAULT' ? defaults : (known ?? {name: header, line, entries: new Map()})
      if (section !== defaults) sections.set(header, section)
      continue
    }
    if (!section) {
      report('stands before the first [section]')
      section = {name: '', line, entries: new Map()} // one report for all of them
      continue
    }
    const delimiter = stripped.search(/[=:]/)
    const key = stripped.slice(0, Math.max(delimiter, 0)).trim()
    if (key === '') {
      report('is neither [section], "key = value", a comment, nor indented to continue a value')
      continue
    }
    entry = {key, lines: [stripped.slice(delimiter + 1).trim()], line}
    const before = section.entries.get(key)
    if (before) report(`found twice in [${section.name}], before in line ${before.line}`, key)
    else section.entries.set(key, entry)
  }
  return {
    path,
    sections: new Map([...sections].map(([name, open]) => [name, {...open, entries: closed(open.entries)}])),
    defaults: closed(defaults.entries),
  }
}

const closed = (entries: ReadonlyMap<string, OpenEntry>): Map<string, IniEntry> =>
  new Map([...entries].map(([key, {lines, line}]) => [key, {key, line, value: lines.join('\n').trimEnd()}]))

/** A `%` that means nothing, or refers to nothing. The message never quotes a value. */
export class InterpolationError extends Error {}

const maxDepth = 10
const maxLength = 1 << 20 // ten levels that each double are harmless, ten that each grow a thousandfold are not

/**
 * Replaces `%(name)s` by what `lookup` gives, which is interpolated in turn, and `%%` by `%`.
 * @throws {InterpolationError}
 */
export function interpolate(value: string, lookup: (name: string) => string | undefined): string {
  let length = 0
  const expand = (text: string, depth: number): string => {
    if (depth > maxDepth)
      throw new InterpolationError(`values refer to each other more than ${maxDepth} deep`)
    const result = text.replace(/%(?:%|\(([^)]+)\)s)?/g, (match, name: string | undefined) => {
      if (match === '%') {
        throw new InterpolationError('"%" begins %(name)s and nothing else: write "%%" for a percent sign')
      }
      if (name === undefined) return '%'
      const found = lookup(name)
      if (found === undefined) {
        throw new InterpolationError(`%(${name})s is neither in this section nor in [DEFAULT]`)
      }
      return expand(found, depth + 1)
    })
    length += result.length + 1 // the empty ones cost time too
    if (length > maxLength) throw new InterpolationError('grows beyond all measure')
    return result
  }
  return value.includes('%') ? expand(value, 1) : value
}

/** As `interpolate` gives `text` back. */
export const escapePercent = (text: string): string => text.replaceAll('%', '%%')
