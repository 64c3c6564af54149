import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {liveServer, testPassword, type LiveServer} from '../support/live-server.js'
import {tempDir} from '../support/temp.js'
import {buildWheel, type BuiltFile} from '../support/wheels.js'
import {basic} from './installation.js'
import {uploadForm} from './upload-form.js'

const addresses = ['', '/', '/simple', '/simple/', '/pypi', '/pypi/', '/legacy', '/legacy/']
const headers = {authorization: basic('writer', testPassword)}

describe('the address of uploads', () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let server: LiveServer
  before(async () => {
    temp = await tempDir()
    server = await liveServer(temp.path, {'pypi.allow_delete': 'false'})
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  const upload = async (address: string, file: BuiltFile, fields: Record<string, string>) => {
    const form = uploadForm(file, fields)
    return fetch(server.url + address, {
      ...{method: 'POST', body: new Uint8Array(form.payload), redirect: 'manual'},
      headers: {...headers, ...form.headers},
    })
  }

  it('may be any that tools were ever told, with a slash at its end or not', async () => {
    for (const [index, address] of addresses.entries()) {
      const release = {name: 'acme-any', version: `1.${index}`}
      const answer = await upload(address, await buildWheel(release), {':action': 'file_upload', ...release})
      assert.equal(answer.status, 200, `${address}: ${await answer.text()}`)
    }
    const list = await fetch(`${server.url}/api/package/acme-any/`, {headers})
    assert.equal(((await list.json()) as {packages: unknown[]}).packages.length, addresses.length)
  })

  it('explains itself in a browser', async () => {
    for (const address of ['/legacy', '/legacy/']) {
      const answer = await fetch(server.url + address, {headers: {accept: 'text/html'}})
      assert.equal(answer.status, 200, address)
      const text = await answer.text()
      assert.ok(text.includes('Tools send files here by POST'), text)
      assert.ok(text.includes(`${server.url}/simple/`), text)
    }
  })

  it('takes no other bytes for a file name by way of a deletion, where pypi.allow_delete is false', async () => {
    const release = {name: 'acme-kept', version: '1.0'}
    const first = await buildWheel(release)
    assert.equal((await upload('/legacy/', first, release)).status, 200)
    const address = `${server.url}/api/package/acme-kept/${first.filename}`
    assert.equal((await fetch(address, {method: 'DELETE', headers})).status, 403)
    const other = await buildWheel({...release, files: {'acme_kept/more.py': 1}})
    assert.equal((await upload('/legacy/', other, release)).status, 409)
    const kept = Buffer.from(await (await fetch(address, {headers})).arrayBuffer())
    assert.deepEqual(kept, first.bytes)
  })
})
