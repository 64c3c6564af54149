import {quote} from '../../python-json.js'

/**
 * JSON as Python reads and writes it: objects keep the order of their keys, whatever the keys are (`"123"`,
 * `"__proto__"`), and numbers their spelling. What nobody here knows goes back as it came.
 */
export type Tree = string | boolean | null | RawNumber | Tree[] | TreeMap
export type TreeMap = Map<string, Tree>

/** A number as it is spelt. */
export class RawNumber {
  constructor(readonly text: string) {}
}

/** Nobody nests access rules deeper. */
const maxDepth = 100
const tokens = /\s*([[\]{}:,]|"(?:[^"\\]|\\.)*"|[^\s[\]{}:,"]+)/y

/** @throws {SyntaxError} Of two equal keys the last one counts, as in Python. */
export function parseTree(text: string): Tree {
  JSON.parse(text) // so that whatever follows may rely on the grammar
  return new TreeReader(text).read(0)
}

class TreeReader {
  #position = 0

  constructor(private readonly text: string) {}

  read(depth: number, first: string = this.#next()): Tree {
    if (depth > maxDepth) throw new SyntaxError('it is nested too deeply')
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#list(depth)
    if (first.startsWith('"')) return JSON.parse(first) as string
    if (first === 'null') return null
    return first === 'true' || first === 'false' ? first === 'true' : new RawNumber(first)
  }

  #object(depth: number): TreeMap {
    const map: TreeMap = new Map()
    for (let token = this.#next(); token !== '}'; token = this.#next()) {
      const key = token === ',' ? this.#next() : token
      this.#next() // the colon
      map.set(JSON.parse(key) as string, this.read(depth + 1))
    }
    return map
  }

  #list(depth: number): Tree[] {
    const list: Tree[] = []
    for (let token = this.#next(); token !== ']'; token = this.#next()) {
      list.push(token === ',' ? this.read(depth + 1) : this.read(depth + 1, token))
    }
    return list
  }

  #next(): string {
    tokens.lastIndex = this.#position
    const token = tokens.exec(this.text)?.[1] ?? ''
    this.#position = tokens.lastIndex
    return token
  }
}

/** As Python's `json.dumps`. */
export function formatTree(tree: Tree): string {
  if (typeof tree === 'string') return quote(tree)
  if (tree instanceof RawNumber) return tree.text
  if (tree instanceof Map) {
    return `{${Array.from(tree, ([key, value]) => `${quote(key)}: ${formatTree(value)}`).join(', ')}}`
  }
  return Array.isArray(tree) ? `[${tree.map(formatTree).join(', ')}]` : String(tree)
}
