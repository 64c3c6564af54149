import assert from 'node:assert/strict'
import {PpcError} from '../../src/lib/errors.js'

/** The one sentence of a failure, which must not hold the password `s3cret`. */
export async function sentence(
  work: Promise<unknown>,
  kind: abstract new (...args: never) => PpcError = PpcError,
): Promise<string> {
  const error = await work.then(
    () => assert.fail('it worked'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof kind, String(error))
  assert.doesNotMatch(error.message, /s3cret|\n/)
  return error.message
}
