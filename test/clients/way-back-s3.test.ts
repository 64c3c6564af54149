import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {s3Settings} from '../server/cloud-settings.js'
import {startService, type Service} from '../services/index.js'
import {exampleKeys} from '../storage/s3-services.js'
import {freePort} from '../support/free-port.js'
import {startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {makeOriginalBucketConfig, originalAdminPassword, startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {buildSdist} from '../support/wheels.js'
import {readConfig} from '../../src/lib/config/config.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {isOddity} from '../../src/lib/storage/storage.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${originalAdminPassword}`).toString('base64')}`}

async function publish(url: string, name: string): Promise<void> {
  const {bytes, filename} = await buildSdist({name, version: '1.0', summary: 'Bibliothèque'})
  const form = new FormData()
  form.set(':action', 'file_upload')
  form.set('content', new Blob([new Uint8Array(bytes)]), filename)
  const done = await fetch(`${url}/simple/`, {method: 'POST', headers, body: form})
  assert.equal(done.status, 200, await done.text())
}

/** By the redirect to the bucket, as pip fetches it. */
async function serves(url: string, name: string): Promise<void> {
  const {bytes, filename} = await buildSdist({name, version: '1.0', summary: 'Bibliothèque'})
  const page = await fetch(`${url}/simple/${name}/`, {headers})
  assert.ok((await page.text()).includes(filename))
  const redirect = await fetch(`${url}/api/package/${name}/${filename}`, {headers, redirect: 'manual'})
  assert.equal(redirect.status, 302)
  const file = await fetch(redirect.headers.get('location') ?? '')
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), bytes)
}

describe('one bucket of pypicloud and this server', needs('pypicloud', 'moto'), () => {
  let moto: Service
  before(async () => {
    moto = await startService('moto')
  })
  after(() => moto[Symbol.asyncDispose]())

  for (const [title, settings] of [
    ['hashed', {}],
    ['flat with a prefix', {'storage.prefix': 'pkg/', 'storage.prepend_hash': 'false'}],
  ] as const) {
    it(`holds what either has written, ${title}`, async () => {
      await using temp = await tempDir()
      const file = temp.join('server.ini')
      const port = await freePort()
      const more = {'storage.bucket': title === 'hashed' ? 'hashed' : 'flat', ...settings}
      await makeOriginalBucketConfig(file, port, s3Settings(moto.url, exampleKeys, more))
      {
        await using original = await startOriginal(file, port)
        await publish(original.url, 'by-them')
      }
      {
        await using ours = await startServer(file, await freePort())
        await serves(ours.url, 'by-them')
        await publish(ours.url, 'by-us')
        await publish(ours.url, 'by-us-too')
        await serves(ours.url, 'by-us')
        const gone = await fetch(`${ours.url}/api/package/by-us-too/by_us_too-1.0.tar.gz`, {
          method: 'DELETE',
          headers,
        })
        assert.ok(gone.ok, String(gone.status))
      }
      await using original = await startOriginal(file, port)
      const rebuilt = await fetch(`${original.url}/admin/rebuild`, {headers})
      assert.ok(rebuilt.ok, await rebuilt.text())
      for (const name of ['by-them', 'by-us']) await serves(original.url, name)
      const projects = await (await fetch(`${original.url}/simple/`, {headers})).text()
      assert.doesNotMatch(projects, /by-us-too|notes/)
      const {filename} = await buildSdist({name: 'by-us', version: '1.0'})
      const gone = await fetch(`${original.url}/api/package/by-us/${filename}`, {method: 'DELETE', headers})
      assert.ok(gone.ok, String(gone.status))

      await using store = await openS3Store(await readConfig(file))
      const left: string[] = []
      for await (const entry of new PackageStorage(store).list())
        left.push(isOddity(entry) ? entry.reason : entry.name)
      assert.deepEqual(left, ['by-them'])
    })
  }
})
