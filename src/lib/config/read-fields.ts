import {variableOf} from './environment.js'
import type {Field, Fields, Values} from './fields.js'
import type {Setting} from './paste-settings.js'
import {shown, type ConfigProblem} from './problems.js'

export type Lookup = (field: Field<unknown>) => Setting | undefined

export interface FieldsRead<F extends Fields> {
  /** Where a text is wrong: the default. */
  readonly values: Values<F>
  readonly problems: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
}

/** Parses what `lookup` finds for each field of a table. `file` is blamed for what is missing. */
export function readFields<F extends Fields>(fields: F, lookup: Lookup, file: string): FieldsRead<F> {
  const values: Record<string, unknown> = {}
  const problems: ConfigProblem[] = []
  const warnings: ConfigProblem[] = []
  for (const [name, field] of Object.entries(fields) as [string, Field<unknown>][]) {
    values[name] = field.default
    const setting = lookup(field)
    if (setting === undefined || (field.required && setting.value === '')) {
      if (field.required) problems.push(missing(field, setting, file))
      continue
    }
    const place = {file: setting.source, line: setting.line, key: field.key}
    const found = field.secret ? '' : `found ${shown(setting.value)}, `
    try {
      values[name] = field.parse(setting.value)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      problems.push({...place, message: `${found}expected ${field.accepts}`})
      continue
    }
    const remark = field.remark?.(setting.value)
    if (remark !== undefined) warnings.push({...place, message: `${found}${remark}`})
    if (field.deprecated !== undefined) warnings.push({...place, message: `deprecated: ${field.deprecated}`})
    if (field.ignored !== undefined) warnings.push({...place, message: `has no effect: ${field.ignored}`})
  }
  return {values: values as Values<F>, problems, warnings} // each key was parsed by its own field
}

function missing(field: Field<unknown>, empty: Setting | undefined, file: string): ConfigProblem {
  const message = `missing: write "${field.key} = …" or set ${variableOf(field.key)}`
  return empty
    ? {file: empty.source, line: empty.line, key: field.key, message: `empty, expected ${field.accepts}`}
    : {file, line: 0, key: field.key, message}
}
