import {meant, meantAnywhere} from './meant.js'
import {titleOf, type Asked} from './request.js'

/** @param found what differs. @returns what of it nobody meant, and what was meant and is gone: a line each. */
export function explain(asked: Asked, found: readonly string[]): string[] {
  const title = titleOf(asked)
  const rows = meant.filter(({requests}) => requests.test(title))
  const explanations = [...rows, ...meantAnywhere]
  const unmeant = found.filter(line => !explanations.some(({differs}) => differs.test(line)))
  const gone = rows.filter(({differs}) => !found.some(line => differs.test(line)))
  return [
    ...unmeant.map(line => `${title}: ${line}`),
    ...gone.map(({because}) => `${title}: no longer differs, although ${because}`),
  ]
}

/** The rows of the table that are about none of these requests. */
export const rowsAboutNone = (requests: readonly Asked[]): string[] =>
  meant
    .filter(({requests: about}) => !requests.some(asked => about.test(titleOf(asked))))
    .map(({because}) => because)
