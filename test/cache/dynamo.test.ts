import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {describeDynamo} from './dynamo-laws.js'
import {openDynamo} from './open-dynamo.js'

describeDynamo('ministack')

describe('a DynamoDB that is not there', () => {
  it('is said in one sentence', async () => {
    await assert.rejects(
      openDynamo('http://127.0.0.1:9'),
      /^Unavailable: server\.ini: db\.host: DynamoDB at http:\/\/127\.0\.0\.1:9 can't be reached now \(ECONNREFUSED\)$/,
    )
  })
})
