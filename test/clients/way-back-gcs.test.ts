import assert from 'node:assert/strict'
import {mkdir} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {startService, type Service} from '../services/index.js'
import {tool} from '../commands/tool.js'
import {makeGoogleKey, type GoogleKey} from '../support/google-key.js'
import {freePort} from '../support/free-port.js'
import {startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {editConfig, makeOriginalConfig, originalAdminPassword, startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {buildSdist, type BuiltFile} from '../support/wheels.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${originalAdminPassword}`).toString('base64')}`}
const summary = 'Bibliothèque ouverte — 開かれた'

const built = new Map<string, Promise<BuiltFile>>()
/** More than one part of an upload here. */
function file(name: string): Promise<BuiltFile> {
  const known = built.get(name) ?? buildSdist({name, version: '1.0', files: {'big.bin': 9_000_000}})
  built.set(name, known)
  return known
}

async function publish(url: string, name: string): Promise<void> {
  const {bytes, filename} = await file(name)
  const form = new FormData()
  const fields = {':action': 'file_upload', name, version: '1.0', summary, requires_python: '>=3.8'}
  for (const [key, value] of Object.entries(fields)) form.set(key, value)
  form.set('content', new Blob([new Uint8Array(bytes)]), filename)
  const done = await fetch(`${url}/simple/`, {method: 'POST', headers, body: form})
  assert.equal(done.status, 200, await done.text())
}

/** By a link to the bucket, as pip fetches it. @returns what the server says of the file. */
async function serves(url: string, name: string): Promise<unknown> {
  const {bytes, filename} = await file(name)
  const address = `${url}/api/package/${name}/${filename}`
  const redirect = await fetch(address, {headers, redirect: 'manual'})
  assert.equal(redirect.status, 302)
  const link = new URL(redirect.headers.get('location') ?? '')
  assert.equal(link.searchParams.get('X-Goog-Algorithm'), 'GOOG4-RSA-SHA256')
  const answer = await fetch(link)
  assert.equal(answer.status, 200, link.href)
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes))
  const project = await fetch(`${url}/api/package/${name}/`, {headers})
  const {packages} = (await project.json()) as {packages: {metadata: Record<string, unknown>}[]}
  const [found, ...others] = packages
  assert.deepEqual(others, [])
  return {...found?.metadata, link: link.origin + link.pathname}
}

async function remove(url: string, name: string): Promise<void> {
  const {filename} = await file(name)
  const gone = await fetch(`${url}/api/package/${name}/${filename}`, {method: 'DELETE', headers})
  assert.ok(gone.ok, String(gone.status))
}

async function projects(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/api/package/`, {headers})
  return ((await answer.json()) as {packages: string[]}).packages.sort()
}

describe('one bucket of Google Cloud Storage', needs('pypicloud', 'fake-gcs-server'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let service: Service
  let key: GoogleKey
  before(async () => {
    temp = await tempDir()
    service = await startService('fake-gcs-server')
    key = await makeGoogleKey(temp.join('key.json'))
  })
  after(async () => {
    await key[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  for (const [bucket, settings] of Object.entries({
    hashed: {},
    flat: {'storage.prefix': 'pkg/', 'storage.prepend_hash': 'false'},
  })) {
    it(`holds what pypicloud and this server have written, ${bucket}`, async () => {
      await mkdir(temp.join(bucket))
      const config = temp.join(`${bucket}/server.ini`)
      const port = await freePort()
      await makeOriginalConfig('-t', config)
      await editConfig(config, port, {
        'pypi.fallback': 'none',
        'pypi.storage': 'gcs',
        'storage.bucket': bucket,
        'storage.gcp_api_endpoint': service.url,
        'storage.gcp_service_account_json_filename': key.file,
        'db.graceful_reload': 'false',
        ...settings,
      })
      let theirs: unknown
      {
        await using original = await startOriginal(config, port)
        await publish(original.url, 'by-them')
        theirs = await serves(original.url, 'by-them')
      }
      const rebuilt = await tool(temp.path, ['ppc-rebuild-cache', config])
      assert.equal(rebuilt.code, 0, rebuilt.stderr)
      let ours: unknown
      {
        await using server = await startServer(config, await freePort())
        assert.deepEqual(await serves(server.url, 'by-them'), theirs)
        await publish(server.url, 'by-us')
        await publish(server.url, 'by-us-too')
        ours = await serves(server.url, 'by-us')
        await remove(server.url, 'by-us-too')
      }
      {
        await using original = await startOriginal(config, port)
        const answer = await fetch(`${original.url}/admin/rebuild`, {headers})
        assert.ok(answer.ok, await answer.text())
        assert.deepEqual(await serves(original.url, 'by-them'), theirs)
        assert.deepEqual(await serves(original.url, 'by-us'), ours)
        assert.deepEqual(await projects(original.url), ['by-them', 'by-us'])
        await remove(original.url, 'by-us')
      }
      const again = await tool(temp.path, ['ppc-rebuild-cache', config])
      assert.equal(again.code, 0, again.stderr)
      await using server = await startServer(config, await freePort())
      assert.deepEqual(await projects(server.url), ['by-them'])
    })
  }
})
