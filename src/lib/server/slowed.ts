import {TooManyAttempts} from '../access/slow-down.js'
import type {Identity} from '../access/identity.js'

/** Of each whose password was not looked at: what to answer where a log-in is needed. */
const refusals = new WeakMap<Identity, TooManyAttempts>()

/** Nobody, as with a wrong password: what anybody may read is still answered. Passes on what is no refusal. */
export function slowedBy(error: unknown): Identity {
  if (!(error instanceof TooManyAttempts)) throw error
  const identity: Identity = {admin: false, groups: []}
  refusals.set(identity, error)
  return identity
}

export const refusalOf = (identity: Identity): TooManyAttempts | undefined => refusals.get(identity)
