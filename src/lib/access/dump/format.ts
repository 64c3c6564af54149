import {quote} from '../../python-json.js'
import type {Access, AclEntry} from '../access.js'
import {fieldsOf, tokenFieldNames} from '../api-tokens/token-fields.js'
import {dumpVersion, tokensMember} from './dump.js'

export interface DumpFormat {
  /** Blanks a level, 2 as `ppc-export` on a terminal; without it or with 0 one line, as the download of the web. */
  readonly indent?: number | undefined
}

/** Characters to collect before they are handed on. */
const chunkLength = 32_768

/**
 * The dump of pypicloud as JSON text, in pieces, ending in a newline: the same keys in the same order, and everything
 * but ASCII escaped as Python does. Rules of `everyone` and `authenticated`, which pypicloud loses, are with the groups'. API tokens,
 * if there are any, come last, in a member that pypicloud reads over.
 */
export async function* formatDump(access: Access, format: DumpFormat = {}): AsyncGenerator<string> {
  const writer = new JsonWriter(format.indent || undefined)
  let group: string | undefined
  let project: string | undefined
  const sections = [
    'start',
    'groups',
    'users',
    'user grants',
    'group grants',
    'pending',
    'tokens',
    'end',
  ] as const
  let section: (typeof sections)[number] = 'start'
  /** Ends what is open and begins all sections up to `wanted`, which may have no entries of their own. */
  const enter = (wanted: typeof section) => {
    while (section !== wanted) {
      const hasNoTokens = section === 'pending' && wanted === 'end'
      const next = hasNoTokens ? 'end' : sections[sections.indexOf(section) + 1]
      if (next === undefined) throw new Error(`entries of a dump out of order: ${wanted} after ${section}`)
      if (section === 'groups') {
        if (group !== undefined) writer.end(']')
        writer.end('}')
      } else if (section === 'users' || section === 'tokens') writer.end(']')
      else if (section === 'pending') {
        if (access.writer) writer.end(']')
      } else if (section !== 'start') {
        if (project !== undefined) writer.end('}')
        project = undefined
        writer.end('}')
        if (section === 'group grants') writer.end('}')
      }
      section = next
      if (section === 'groups') writer.begin('{', 'groups')
      else if (section === 'users') writer.begin('[', 'users')
      else if (section === 'user grants') {
        writer.begin('{', 'packages')
        writer.begin('{', 'users')
      } else if (section === 'group grants') writer.begin('{', 'groups')
      else if (section === 'pending' && access.writer) writer.begin('[', 'pending_users')
      else if (section === 'tokens') writer.begin('[', tokensMember)
    }
  }

  const write = (entry: AclEntry) => {
    switch (entry.kind) {
      case 'registration':
        writer.value(entry.allowed, 'allow_register')
        writer.value(dumpVersion, 'version')
        break
      case 'group':
        enter('groups')
        if (group !== undefined) writer.end(']')
        group = entry.name
        writer.begin('[', group)
        break
      case 'member':
        if (entry.group !== group) throw new Error('members of a dump out of order')
        writer.value(entry.username)
        break
      case 'user':
        enter('users')
        writer.begin('{')
        writer.value(entry.username, 'username')
        writer.value(entry.admin, 'admin')
        writer.value(entry.passwordHash, 'password')
        writer.end('}')
        break
      case 'grant': {
        const {principal} = entry
        enter('user' in principal ? 'user grants' : 'group grants')
        if (entry.project !== project) {
          if (project !== undefined) writer.end('}')
          project = entry.project
          writer.begin('{', project)
        }
        writer.begin('[', 'user' in principal ? principal.user : principal.group)
        for (const permission of entry.permissions) writer.value(permission)
        writer.end(']')
        break
      }
      case 'pending':
        enter('pending')
        writer.begin('{')
        writer.value(entry.username, 'username')
        writer.value(entry.passwordHash, 'password')
        writer.end('}')
        break
      case 'token': {
        enter('tokens')
        const fields = fieldsOf(entry)
        writer.begin('{')
        for (const name of tokenFieldNames) writer.value(fields[name], name)
        writer.end('}')
        break
      }
    }
  }

  writer.begin('{')
  for await (const entry of access.exportEntries()) {
    write(entry)
    if (writer.text.length >= chunkLength) yield writer.take()
  }
  enter('end')
  writer.end('}')
  yield `${writer.take()}\n`
}

/** JSON with the separators of Python's `json.dumps`. */
class JsonWriter {
  text = ''
  #depth = 0
  #empty = true

  constructor(private readonly indent: number | undefined) {}

  begin(bracket: '{' | '[', key?: string): void {
    this.#item(key)
    this.text += bracket
    this.#depth += 1
    this.#empty = true
  }

  end(bracket: '}' | ']'): void {
    this.#depth -= 1
    if (!this.#empty) this.#newline()
    this.text += bracket
    this.#empty = false
  }

  value(value: string | boolean | null, key?: string): void {
    this.#item(key)
    this.text += typeof value === 'string' ? quote(value) : String(value)
  }

  take(): string {
    const text = this.text
    this.text = ''
    return text
  }

  #item(key: string | undefined): void {
    if (this.#depth > 0) {
      if (!this.#empty) this.text += this.indent === undefined ? ', ' : ','
      this.#newline()
    }
    this.#empty = false
    if (key !== undefined) this.text += `${quote(key)}: `
  }

  #newline(): void {
    if (this.indent !== undefined) this.text += `\n${' '.repeat(this.indent * this.#depth)}`
  }
}
