import type {Readable} from 'node:stream'
import type {Access, LoadOptions, LoadReport} from '../access/access.js'
import {parseDump} from '../access/dump/dump.js'
import {UsageError} from '../errors.js'

export type ImportResult =
  | {readonly report: LoadReport}
  /** To be pasted by the operator, where the rules are in a configuration file. */
  | {readonly configLines: string}

/**
 * Adds what a dump holds, gzipped or not, and with `prune` removes the rest. A damaged or foreign one changes nothing.
 * @throws {UsageError} for backends that take no dump
 */
export async function importAccess(
  input: Readable,
  access: Access,
  options: LoadOptions = {},
): Promise<ImportResult> {
  const notices: string[] = []
  const entries = parseDump(input, {onNotice: notice => notices.length < 20 && notices.push(notice)})
  if (access.writer) {
    const report = await access.writer.load(entries, options)
    return {report: {...report, notices: [...notices, ...report.notices]}}
  }
  if (access.formatEntries) return {configLines: await access.formatEntries(entries)}
  throw new UsageError(`${access.name} can't take an import: its users are managed elsewhere`)
}
