/** Anything that JSON has; `undefined` members are left out. */
export type Json =
  string | number | boolean | null | readonly Json[] | {readonly [key: string]: Json | undefined}

/** As Python's `json.dumps`, which scripts may compare texts with: `", "` and `": "`, ASCII only; `indent` in blanks. */
export function formatJson(value: Json, indent: number | undefined): string {
  return write(value, indent, '\n')
}

function write(value: Json, indent: number | undefined, newline: string): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = indent === undefined ? '' : newline + ' '.repeat(indent)
  const items = isArray(value)
    ? value.map(item => write(item, indent, inner))
    : Object.entries(value).flatMap(([key, item]) =>
        item === undefined ? [] : [`${quote(key)}: ${write(item, indent, inner)}`],
      )
  const [open, close] = isArray(value) ? '[]' : '{}'
  if (items.length === 0) return `${open ?? ''}${close ?? ''}`
  const separator = indent === undefined ? ', ' : `,${inner}`
  return `${open ?? ''}${inner}${items.join(separator)}${indent === undefined ? '' : newline}${close ?? ''}`
}

const isArray = (value: Json): value is readonly Json[] => Array.isArray(value)

/** One text. Everything that is not printable ASCII is escaped. */
export function quote(text: string): string {
  const json = JSON.stringify(text)
  return beyondAscii.test(json) ? json.replace(everyBeyondAscii, escaped) : json
}
const beyondAscii = /[\x7f-\uffff]/
const everyBeyondAscii = new RegExp(beyondAscii, 'g')
const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
