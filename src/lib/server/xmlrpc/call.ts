import {XMLParser, XMLValidator} from 'fast-xml-parser'
import {Fault, faults} from './answer.js'

/** What XML-RPC values become: structs are objects without a prototype, every scalar is a text. */
export type Value = string | readonly Value[] | {readonly [name: string]: Value}
export interface MethodCall {
  readonly method: string
  readonly params: readonly Value[]
}

interface Node {
  readonly name: string
  readonly children: readonly Node[]
  /** Of itself, without its children's. */
  readonly text: string
}

// Entities are never expanded, so that a small body can not become a large one; the five of XML are decoded below.
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  maxNestedTags: 50,
})

/** @throws {Fault} when `text` is no call. A document type is refused: XML-RPC has none, and only attacks use it. */
export function parseCall(text: string): MethodCall {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new Fault(faults.unreadable)
  const call = rootOf(text)
  const method = call.name === 'methodCall' && child(call, 'methodName')
  if (!method) throw new Fault(faults.unreadable)
  const params = child(call, 'params')?.children ?? []
  return {
    method: method.text.trim(),
    params: params.filter(({name}) => name === 'param').map(param => valueOf(child(param, 'value'))),
  }
}

function rootOf(text: string): Node {
  try {
    // The parser itself takes what is not well-formed. The validator's successor is a package of its own.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    if (XMLValidator.validate(text) !== true) throw new Fault(faults.unreadable)
    const root = nodesOf(parser.parse(text)).find(({name}) => !name.startsWith('?'))
    if (root) return root
  } catch {
    // too deep, or no XML
  }
  throw new Fault(faults.unreadable)
}

/** The parser's `[{tag: [children…]}, {'#text': '…'}]`. */
function nodesOf(parsed: unknown): Node[] {
  if (!Array.isArray(parsed)) return []
  return parsed.flatMap((element: Readonly<Record<string, unknown>>) => {
    const name = Object.keys(element).find(key => key !== ':@' && key !== '#text')
    if (name === undefined) return []
    const inside = element[name]
    return [{name, children: nodesOf(inside), text: decodeEntities(textOf(inside))}]
  })
}

const textOf = (parsed: unknown): string =>
  (Array.isArray(parsed) ? (parsed as readonly {readonly '#text'?: string}[]) : [])
    .map(part => part['#text'] ?? '')
    .join('')

const child = (node: Node, name: string): Node | undefined => node.children.find(one => one.name === name)

/** @throws {Fault} */
function valueOf(value: Node | undefined): Value {
  if (!value) throw new Fault(faults.params)
  const [typed] = value.children
  if (!typed) return value.text // without a type it is a string
  switch (typed.name) {
    case 'array':
      return (child(typed, 'data')?.children ?? []).map(valueOf)
    case 'struct': {
      const members = Object.create(null) as Record<string, Value>
      for (const member of typed.children)
        members[child(member, 'name')?.text ?? ''] = valueOf(child(member, 'value'))
      return members
    }
    default:
      return typed.text
  }
}

const named: Readonly<Record<string, string>> = {lt: '<', gt: '>', amp: '&', quot: '"', apos: "'"}
const decodeEntities = (text: string): string =>
  text.replace(
    /&(?:#x([\da-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/gi,
    (all, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
      if (name !== undefined) return named[name.toLowerCase()] ?? all
      const code = hex === undefined ? Number(decimal) : parseInt(hex, 16)
      return code <= 0x10ffff ? String.fromCodePoint(code) : all
    },
  )
