import {isUtf8} from 'node:buffer'
import {readFile} from 'node:fs/promises'
import {parseIni, type IniFile} from './ini.js'
import type {ConfigProblem} from './problems.js'

/** Reads files once, and adds what is wrong with them to `problems`, what is odd to `warnings`. */
export class PasteFiles {
  readonly #files = new Map<string, Promise<IniFile | undefined>>()
  constructor(
    readonly problems: ConfigProblem[],
    readonly warnings: ConfigProblem[],
  ) {}

  /** Undefined when it can't be read, which is a problem then. */
  read(path: string, asked: Place = {file: path, line: 0, key: undefined}): Promise<IniFile | undefined> {
    let file = this.#files.get(path)
    if (!file) {
      file = this.#read(path, asked)
      this.#files.set(path, file)
    }
    return file
  }

  async #read(path: string, asked: Place): Promise<IniFile | undefined> {
    let bytes: Buffer
    try {
      bytes = await readFile(path)
    } catch (error) {
      this.problems.push({...asked, message: cannotRead(path, asked, error)})
      return undefined
    }
    if (!isUtf8(bytes)) {
      this.problems.push({
        file: path,
        line: firstLineThatIsNotUtf8(bytes),
        key: undefined,
        message: 'is not UTF-8: save the file in that encoding',
      })
      return undefined
    }
    return parseIni(new TextDecoder().decode(bytes), path, this.problems)
  }
}

/** What a problem is about. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly key: string | undefined
}

function cannotRead(path: string, asked: Place, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'may not be read by this user',
    EISDIR: 'is a directory, expected a config file',
  }
  const reason = reasons[code] ?? `can't be read (${code})`
  return asked.file === path ? reason : `${path}: ${reason}`
}

function firstLineThatIsNotUtf8(bytes: Buffer): number {
  let line = 1
  for (let start = 0; ; line += 1) {
    const end = bytes.indexOf(0x0a, start)
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line
    start = end + 1
  }
}
