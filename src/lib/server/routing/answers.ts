import type {SchemaName} from './schemas.js'

/** What a route answers with one status. */
export interface Answer {
  readonly about: string
  /** Of its body, most preferred first. None: there is no body. */
  readonly types?: readonly string[]
  /** Of a JSON body. */
  readonly schema?: SchemaName | {readonly listOf: SchemaName}
}

export const html = 'text/html; charset=UTF-8'

export const json = (about: string, schema?: Answer['schema']): Answer => ({
  about,
  types: ['application/json'],
  ...(schema !== undefined && {schema}),
})
export const page = (about: string): Answer => ({about, types: [html]})
/** pypicloud's answer to a change that worked: no text, but a type. */
export const empty = (about: string): Answer => ({about, types: [html]})
/** A body whose kind follows Accept, as that of every error (COMPAT §6.11). */
export const note = (about: string): Answer => ({about, types: errorTypes})
export const bare = (about: string): Answer => ({about})
export const bytes = (about: string): Answer => ({about, types: ['application/octet-stream']})

export const errorTypes = ['text/plain; charset=UTF-8', html, 'application/json']
