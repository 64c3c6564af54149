import {escapeHtml} from '../../index/pages/markup.js'

/** Code and sentence of what a client did wrong, as Python's xmlrpc servers have them (COMPAT §6.9, §6.12). */
export const faults = {
  unreadable: {code: -32700, message: 'parse error; not well formed'},
  method: {code: -32601, message: 'server error; requested method not found'},
  params: {code: -32602, message: 'server error; invalid method params'},
} as const

/** A call that can't be answered. */
export class Fault extends Error {
  readonly code: number
  constructor({code, message}: (typeof faults)[keyof typeof faults]) {
    super(message)
    this.code = code
  }
}

const head = "<?xml version='1.0'?>\n<methodResponse>\n"
const text = (value: string): string => `<value><string>${escapeXml(value)}</string></value>`
const member = (name: string, value: string): string =>
  `<member>\n<name>${name}</name>\n${value}\n</member>\n`

/** The answer to a search: structs of texts. */
export function formatStructs(structs: readonly Readonly<Record<string, string>>[]): string {
  const values = structs.map(struct => {
    const members = Object.entries(struct).map(([name, value]) => member(name, text(value)))
    return `<value><struct>\n${members.join('')}</struct></value>\n`
  })
  return (
    `${head}<params>\n<param>\n<value><array><data>\n${values.join('')}</data></array></value>\n` +
    '</param>\n</params>\n</methodResponse>\n'
  )
}

export const formatFault = ({code, message}: Fault): string =>
  `${head}<fault>\n<value><struct>\n${member('faultCode', `<value><int>${code}</int></value>`)}` +
  `${member('faultString', text(message))}</struct></value>\n</fault>\n</methodResponse>\n`

/** What XML 1.0 can not hold, even escaped, is left out. */
const escapeXml = (value: string): string =>
  escapeHtml(value.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, ''))
