import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {loggedError} from '../../src/lib/server/logging.js'

describe('errors in the log', () => {
  it('tell what the database said, not what it was told', () => {
    const cause = Object.assign(
      new Error(
        "insert into `users` (`password`) values ('$6$rounds=20500$abc - def') - UNIQUE constraint failed",
      ),
      {code: 'SQLITE_CONSTRAINT'},
    )
    const text = JSON.stringify(loggedError(new Error('could not save', {cause})))
    assert.doesNotMatch(text, /\$6\$|insert/)
    assert.match(text, /could not save/)
    assert.match(text, /UNIQUE constraint failed/)
    assert.match(text, /SQLITE_CONSTRAINT/)
    assert.match(text, /at .*logging\.test/)
  })
})
