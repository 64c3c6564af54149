import {InvalidInput} from '../../errors.js'
import type {FormFields} from '../http/form.js'

/** The fields that an upload is judged by. All others are read and forgotten: the file's own metadata wins. */
export const uploadFields: ReadonlySet<string> = new Set([
  ':action',
  'name',
  'version',
  'summary',
  'requires_python',
  'filetype',
  'attestations',
  'md5_digest',
  'sha256_digest',
  'blake2_256_digest',
])

/** Largest value of one field, in bytes. */
export const fieldLimit = 64 * 1024

/** The value of a field, or nothing where it is missing or empty. @throws {InvalidInput} when it is there twice. */
export function single(fields: FormFields, name: string): string | undefined {
  const values = fields.get(name) ?? []
  if (new Set(values).size > 1)
    throw new InvalidInput(`the form has the field ${name} twice, with different values`)
  return values[0] || undefined
}
