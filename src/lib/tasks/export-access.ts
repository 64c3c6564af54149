import {Readable, type Writable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import type {Access} from '../access/access.js'
import {formatDump, type DumpFormat} from '../access/dump/dump.js'
import {quote} from '../access/names.js'

export interface ExportOptions extends DumpFormat {
  /** Called for each rule that is left out, because its user or group does not exist. */
  readonly onNotice?: (notice: string) => void
}

/** Writes all users, groups and rules as JSON. `out` is not ended: that is for who opened it. */
export async function exportAccess(
  access: Access,
  out: Writable,
  options: ExportOptions = {},
): Promise<void> {
  const {onNotice} = options
  if (onNotice) {
    for (const {project, principal} of await access.listOrphans()) {
      const who = 'user' in principal ? `user ${quote(principal.user)}` : `group ${quote(principal.group)}`
      onNotice(`the rule of project ${quote(project)} for ${who} was left out: nobody has that name`)
    }
    for (const pattern of (await access.listRulePatterns?.()) ?? []) {
      onNotice(
        `${quote(pattern)} stands for many projects in a configuration file only: elsewhere it is one name`,
      )
    }
  }
  await pipeline(Readable.from(formatDump(access, options)), out, {end: false})
}
