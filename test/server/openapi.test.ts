import {Validator} from '@seriousme/openapi-schema-validator'
import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {install, type Installation} from './installation.js'
import type {OpenApi} from './declared-answers.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = admin
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
session.validate_key = key
session.key = acme_session
`

describe('the OpenAPI document', () => {
  let server: Installation
  let document: OpenApi & Record<string, unknown>
  before(async () => {
    server = await install(ini)
    document = (await server.app.inject('/openapi.json')).json()
  })
  after(() => server[Symbol.asyncDispose]())

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const {valid, errors} = await validator.validate(structuredClone(document))
    assert.deepEqual(errors, undefined)
    assert.equal(valid, true)
    assert.equal(validator.version, '3.1')
  })

  it('has each operation under one id, with a sentence', () => {
    const operations = Object.values(document.paths).flatMap(item => Object.values(item)) as unknown as {
      operationId: string
      summary: string
    }[]
    assert.equal(new Set(operations.map(({operationId}) => operationId)).size, operations.length)
    assert.deepEqual(
      operations.filter(({summary}) => !/^[A-Z].*\.$/.test(summary)),
      [],
    )
  })

  it('tells who may: a stranger gets 401 exactly where a login is declared', async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        const {statusCode} = await server.app.inject({
          method: method.toUpperCase() as 'GET',
          url: path.replace(/\{\w+\}/g, 'name'),
        })
        if (operation.responses['401']) assert.equal(statusCode, 401, `${method} ${path}`)
        else assert.notEqual(statusCode, 405, `${method} ${path}`)
      }
    }
  })

  it('tells how: Basic, an API token, or the cookie of a session, with its CSRF token for changes', () => {
    const {securitySchemes} = document.components as unknown as {
      securitySchemes: Record<string, {name?: string}>
    }
    assert.deepEqual(Object.keys(securitySchemes), ['basic', 'token', 'session', 'csrf'])
    assert.deepEqual(
      [securitySchemes['session']?.name, securitySchemes['csrf']?.name],
      ['acme_session', 'x-csrf-token'],
    )
    const securityOf = (path: string, method: string) =>
      (document.paths[path]?.[method] as unknown as {security: unknown}).security
    assert.deepEqual(securityOf('/simple/', 'get'), [{}, {basic: []}, {token: []}, {session: []}])
    assert.deepEqual(securityOf('/simple/', 'post'), [{basic: []}, {token: []}, {session: [], csrf: []}])
  })
})
