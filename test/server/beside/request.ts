import {STATUS_CODES} from 'node:http'
import {formOf, type FormPart} from '../upload-form.js'

/** A request that pypicloud and this server get alike. */
export interface Asked {
  /** Whose Basic credentials it carries. Default: nobody's. */
  readonly who?: string | undefined
  readonly method: string
  /** As it goes over the wire, query included. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** What sets it apart from others of its user, method and path. */
  readonly about?: string
  /** Whose cookie it sends, and under which name a cookie of the answer is kept. */
  readonly session?: string
  /** Members of the JSON answer that two servers can't have in common, such as times. */
  readonly volatile?: readonly string[]
}
type More = Omit<Asked, 'who' | 'method' | 'path'>

/** `nobody,bob GET,HEAD /simple/ /simple`: each of the paths, by each method, by each user. */
export function ask(line: string, more: More = {}): Asked[] {
  const [users = '', methods = '', ...paths] = line.trim().split(/\s+/)
  return paths.flatMap(path =>
    methods
      .split(',')
      .flatMap(method => users.split(',').map(who => ({...more, who: named(who), method, path}))),
  )
}
const named = (who: string): string | undefined => (who === 'nobody' ? undefined : who)

/** The same with a body. The line of the test says what it was. */
export const askWithJson = (line: string, body: string, more: More = {}): Asked[] =>
  ask(line, {...more, body, about: `json ${body}`, headers: {'content-type': 'application/json'}})
export const askWithForm = (line: string, body: string, more: More = {}): Asked[] =>
  ask(line, {
    ...more,
    body,
    about: `form ${body}`,
    headers: {'content-type': 'application/x-www-form-urlencoded'},
  })
export const askWithXml = (line: string, body: string, type = 'text/xml'): Asked[] =>
  ask(line, {body, about: `${type} ${body}`, headers: {'content-type': type}})
export const askWithHeader = (line: string, name: string, value: string): Asked[] =>
  ask(line, {headers: {[name]: value}, about: `${name}: ${value}`})
export function askWithParts(line: string, about: string, parts: readonly FormPart[]): Asked[] {
  const {payload, headers} = formOf(parts)
  return ask(line, {body: payload, headers, about, volatile: ['last_modified']})
}

/** How the tests and the table of differences name a request. */
export const titleOf = ({who, session, method, path, about}: Asked): string =>
  [session ?? who ?? 'nobody', method, path, about].filter(part => part !== undefined).join(' ')

/** `404 Not Found` */
export const statusLine = (status: number): string => `${status} ${STATUS_CODES[status] ?? ''}`
