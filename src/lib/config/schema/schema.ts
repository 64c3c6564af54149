import type {Fields, Values} from '../fields.js'

/** What is wrong between keys that are each fine. `key` is where the reader should look. */
export interface Contradiction {
  readonly key: string
  readonly message: string
}

/** The keys of one backend, and the rules between them. */
export interface BackendSchema {
  readonly fields: Fields
  check(values: Values<Fields>): Iterable<Contradiction>
}

export function backendSchema<F extends Fields>(
  fields: F,
  check: (values: Values<F>) => Iterable<Contradiction> = () => [],
): BackendSchema {
  // the values come from these very fields
  return {fields, check: values => check(values as Values<F>)}
}
