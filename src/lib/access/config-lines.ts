import type {AclEntry, Grant} from './access.js'
import {formatConfigToken} from './api-tokens/config-tokens.js'
import {normalizeName} from '../packaging/names.js'
import {quote} from './names.js'

type Entry<K extends AclEntry['kind']> = Extract<AclEntry, {kind: K}>

/**
 * Lines for the app section of a configuration file, as `ppc-import` of pypicloud prints them. Registration and
 * pending users have no place there; a name that the file can't hold becomes a comment that says so. pypicloud prints
 * rules with a dot in the name of the project or the user too, and ignores them when it reads them: then the project would
 * be open to `pypi.default_read`. Here projects are spelt without dots, and one without any rule left stays shut.
 */
export async function formatConfigLines(entries: AsyncIterable<AclEntry>): Promise<string> {
  const users: Entry<'user'>[] = []
  const members = new Map<string, string[]>()
  const grants: Grant[] = []
  const tokens: Entry<'token'>[] = []
  for await (const entry of entries) {
    if (entry.kind === 'user') users.push(entry)
    else if (entry.kind === 'grant') grants.push(entry)
    else if (entry.kind === 'token') tokens.push(entry)
    else if (entry.kind === 'group') members.set(entry.name, members.get(entry.name) ?? [])
    else if (entry.kind === 'member') {
      const names = members.get(entry.group)
      if (names) names.push(entry.username)
      else members.set(entry.group, [entry.username])
    }
  }

  const out = new Lines()
  for (const {username, passwordHash} of users) {
    if (passwordHash === null) out.leaveOut(`user ${quote(username)}, who has no password hash`)
    else out.setting(`user.${username}`, passwordHash)
  }
  const admins = users.filter(user => user.admin).map(user => user.username)
  if (admins.length > 0) out.list('auth.admins', admins)
  for (const [group, names] of members) out.list(`group.${group}`, names)
  formatRules(grants, out)
  for (const token of tokens) {
    const {key, value} = formatConfigToken(token)
    out.setting(key, value)
  }
  return out.text
}

function formatRules(grants: readonly Grant[], out: Lines): void {
  const rules = new Map<string, {project: string; name: string; letters: Set<string>}>()
  for (const kind of ['group', 'user'] as const) {
    for (const {project: spelt, principal, permissions} of grants) {
      if (!(kind in principal)) continue
      const project = spelt.includes('.') ? normalizeName(spelt) : spelt
      const name = 'user' in principal ? principal.user : principal.group
      const key = `package.${project}.${kind}.${name}`
      const rule = rules.get(key) ?? {project, name, letters: new Set()}
      rules.set(key, rule) // two spellings of a project may have become one
      for (const permission of permissions) rule.letters.add(permission.charAt(0))
    }
  }
  const [ruled, leftOut] = [new Set<string>(), new Set<string>()]
  for (const [key, {project, name, letters}] of rules) {
    if (name.includes('.'))
      out.leaveOut(`${quote(key)}: a name with a dot can have no rules in a configuration file`)
    else if (out.setting(key, [...letters].sort().join(''))) {
      ruled.add(normalizeName(project))
      continue
    }
    leftOut.add(project)
  }
  for (const project of leftOut) {
    if (!ruled.has(normalizeName(project))) out.setting(`package.${project}.group.everyone`, '')
  }
}

class Lines {
  text = ''

  /** @returns whether the file can hold it. */
  setting(key: string, value: string): boolean {
    if (/[=:\r\n]|^[\s#;[]|\s$/.test(key) || /[\r\n]/.test(value)) {
      this.leaveOut(`${quote(key)}, which a configuration file can't hold as a key`)
      return false
    }
    this.text += `${`${key} = ${escape(value)}`.trimEnd()}\n`
    return true
  }

  list(key: string, names: readonly string[]): void {
    if (/[=:\r\n]|^[\s#;[]|\s$/.test(key)) {
      this.leaveOut(`${quote(key)}, which a configuration file can't hold as a key`)
      return
    }
    this.text += `${key} =\n`
    for (const name of names) {
      if (/\s|^$|^[#;]/.test(name)) this.leaveOut(`${quote(name)} of ${key}, which a list can't hold`)
      else this.text += `    ${escape(name)}\n`
    }
  }

  leaveOut(what: string): void {
    this.text += `# left out: ${what}\n`
  }
}

/** Values are interpolated when they are read; keys are not. */
const escape = (value: string): string => value.replaceAll('%', '%%')
