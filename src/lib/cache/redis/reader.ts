import {byCodePoint} from '../../by-code-point.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Command, RedisConnection} from './connection.js'
import {filesKey, namesKey, rowKey} from './keys.js'
import {readFields} from './scripts.js'
import {rowOfHash, type Hash, type RedisRow} from './rows.js'

const membersAtOnce = 1000
const rowsAtOnce = 1000
/** How many file names are in memory while everything is listed. */
const namesAtOnce = 50_000

export interface ListedRow extends RedisRow {
  /** Whether the sets of pypicloud have it: else lists don't show it, and it has to be written again. */
  readonly listed: boolean
}

/** Reads pypicloud's keys. Rows that are not of their type, because of somebody else, count as missing. */
export class RedisReader {
  constructor(private readonly connection: RedisConnection) {}

  /** Those that are there, by file name. */
  async rows(filenames: readonly string[]): Promise<Map<string, RedisRow>> {
    const rows = new Map<string, RedisRow>()
    const hashes = await this.#trySend<Hash>(filenames.map(filename => ['hgetall', rowKey(filename)]))
    for (const [i, filename] of filenames.entries()) {
      const hash = hashes[i]
      const row = hash && rowOfHash(filename, hash)
      if (row) rows.set(filename, row)
    }
    return rows
  }

  async listedRows(filenames: readonly string[]): Promise<Map<string, ListedRow>> {
    const rows = [...(await this.rows(filenames))]
    const names = [...new Set(rows.map(([, {file}]) => file.name))]
    const known = await this.connection.send<number>([
      ...names.map((name): Command => ['sismember', namesKey, name]),
      ...rows.map(([filename, {file}]): Command => ['sismember', filesKey(file.name), filename]),
    ])
    const listedNames = new Set(names.filter((_, i) => known[i] === 1))
    return new Map(
      rows.map(([filename, row], i) => {
        const listed = known[names.length + i] === 1 && listedNames.has(row.file.name)
        return [filename, {...row, listed}]
      }),
    )
  }

  async files(project: string): Promise<DistFile[]> {
    const [filenames = []] = await this.connection.send<string[]>([['smembers', filesKey(project)]])
    const rows = await this.rows(filenames)
    return Array.from(rows.values(), ({file}) => file).filter(({name}) => name === project)
  }

  /** Names of projects, in no order. */
  async projects(): Promise<Set<string>> {
    const names = new Set<string>() // a scan may give one twice
    let cursor = '0'
    do {
      const [[next, found] = ['0', []]] = await this.connection.send<[string, string[]]>([
        ['sscan', namesKey, cursor, 'COUNT', String(membersAtOnce)],
      ])
      for (const name of found) names.add(name)
      cursor = next
    } while (cursor !== '0')
    return names
  }

  async count(): Promise<number> {
    const names = [...(await this.projects())]
    const counts = await this.connection.send<number>(names.map(name => ['scard', filesKey(name)]))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** By file name (code points). Memory: the names of projects, and file names of as many files as `namesAtOnce` says. */
  async *allFiles(): AsyncGenerator<DistFile> {
    const projects = [...(await this.projects())]
    let after: string | undefined
    do {
      const filenames = await this.#nextFilenames(projects, after)
      for (let start = 0; start < filenames.length; start += rowsAtOnce) {
        const some = filenames.slice(start, start + rowsAtOnce)
        const rows = await this.rows(some)
        for (const filename of some) {
          const row = rows.get(filename)
          if (row) yield row.file
        }
      }
      after = filenames.length < namesAtOnce ? undefined : filenames.at(-1)
    } while (after !== undefined)
  }

  /** The next `namesAtOnce` file names behind `after`: sets have no order, so all are looked through each time. */
  async #nextFilenames(projects: readonly string[], after: string | undefined): Promise<string[]> {
    let next: string[] = []
    let last: string | undefined
    const keepFirst = () => {
      next = [...new Set(next)].sort(byCodePoint).slice(0, namesAtOnce)
      if (next.length === namesAtOnce) last = next.at(-1)
    }
    for await (const [, filenames] of this.filenames(projects)) {
      for (const filename of filenames) {
        if (after !== undefined && byCodePoint(filename, after) <= 0) continue
        if (last !== undefined && byCodePoint(filename, last) >= 0) continue
        next.push(filename)
      }
      if (next.length > 2 * namesAtOnce) keepFirst()
    }
    keepFirst()
    return next
  }

  /** The file names of each of `projects`. */
  async *filenames(projects: readonly string[]): AsyncGenerator<[project: string, filenames: string[]]> {
    for (let start = 0; start < projects.length; start += membersAtOnce) {
      const some = projects.slice(start, start + membersAtOnce)
      const sets = await this.connection.send<string[]>(some.map(name => ['smembers', filesKey(name)]))
      for (const [i, name] of some.entries()) yield [name, sets[i] ?? []]
    }
  }

  /** Some fields of rows, in their order: null where one is missing. */
  async fields(
    filenames: readonly string[],
    fields: readonly string[],
  ): Promise<((string | null)[] | undefined)[]> {
    return this.connection.isCluster
      ? this.#trySend<(string | null)[]>(filenames.map(filename => ['hmget', rowKey(filename), ...fields]))
      : this.#fieldsAtOnce(filenames, fields)
  }

  async #fieldsAtOnce(filenames: readonly string[], fields: readonly string[]): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = []
    for (let start = 0; start < filenames.length; start += rowsAtOnce) {
      const some = filenames.slice(start, start + rowsAtOnce)
      const args = [String(fields.length), ...fields, ...some]
      const values = (await this.connection.runScript(readFields, [], args)) as (string | null)[]
      for (const i of some.keys()) rows.push(values.slice(i * fields.length, (i + 1) * fields.length))
    }
    return rows
  }

  async #trySend<T>(commands: readonly Command[]): Promise<(T | undefined)[]> {
    const answers = await this.connection.trySend<T>(commands)
    return answers.map(answer => {
      if (!(answer instanceof Error)) return answer
      if (answer.message.startsWith('WRONGTYPE')) return undefined
      throw this.connection.explain(answer)
    })
  }
}
