import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {before, describe, it} from 'node:test'
import {startService} from '../services/index.js'
import {makeGoogleKey} from '../support/google-key.js'
import {liveServer, testPassword, type LiveServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {buildWheel, type BuiltFile} from '../support/wheels.js'
import {azureSettings, gcsSettings} from './cloud-settings.js'
import {basic} from './installation.js'
import {uploadForm} from './upload-form.js'

const authorization = basic('writer', testPassword)

/** By which way a file is sent, and what a config says for it. */
const ways = {
  'by redirect': {},
  'through the server': {'pypi.stream_files': 'true'},
  'from a disk cache': {'storage.disk_cache.dir': '%(here)s/disk', 'storage.disk_cache.max_size': '20MB'},
} as const

/** What RFC 9110 says of ranges and conditions holds for stored files, wherever they are and by whatever way they come. */
async function answersInParts(settings: Record<string, string>, wheel: BuiltFile): Promise<void> {
  const {bytes, filename} = wheel
  await using temp = await tempDir()
  await using server = await liveServer(temp.path, settings)
  await publish(server, wheel)
  const etag = `"${createHash('sha256').update(bytes).digest('hex')}"`
  const get = async (headers: Record<string, string> = {}, method = 'GET') => {
    const url = `${server.url}/api/package/big/${filename}`
    const answer = await fetch(url, {method, redirect: 'manual', headers: {authorization, ...headers}})
    return {status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer())}
  }
  const redirects = !('pypi.stream_files' in settings) && !('storage.disk_cache.dir' in settings)

  const whole = await get()
  if (redirects) {
    assert.equal(whole.status, 302)
    const followed = await fetch(whole.headers.get('location') ?? '')
    assert.deepEqual(Buffer.from(await followed.arrayBuffer()), bytes)
  } else {
    assert.equal(whole.status, 200)
    assert.deepEqual(whole.bytes, bytes)
  }
  const head = await get({}, 'HEAD')
  assert.deepEqual(
    [head.status, head.headers.get('content-length'), head.headers.get('etag'), head.bytes.length],
    [200, String(bytes.length), etag, 0],
  )
  const modified = head.headers.get('last-modified') ?? ''
  for (const [range, part, described] of [
    ['bytes=0-0', bytes.subarray(0, 1), '0-0'],
    ['bytes=5-9', bytes.subarray(5, 10), '5-9'],
    ['bytes=-7', bytes.subarray(-7), `${bytes.length - 7}-${bytes.length - 1}`],
    [`bytes=${bytes.length - 3}-`, bytes.subarray(-3), `${bytes.length - 3}-${bytes.length - 1}`],
  ] as const) {
    for (const condition of [{}, {'if-range': etag}, {'if-range': modified}]) {
      const answer = await get({range, ...condition})
      assert.equal(answer.status, 206, `${range} ${JSON.stringify(condition)}`)
      assert.equal(answer.headers.get('content-range'), `bytes ${described}/${bytes.length}`)
      assert.deepEqual(answer.bytes, part)
    }
  }
  assert.equal((await get({range: `bytes=${bytes.length}-`})).status, 416)
  const changed = await get({range: 'bytes=0-3', 'if-range': '"another"'})
  assert.deepEqual([changed.status, changed.bytes.length], [200, bytes.length])
  for (const condition of [
    {'if-none-match': etag},
    {'if-none-match': '*'},
    {'if-modified-since': modified},
  ]) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(condition, method)
      assert.deepEqual(
        [answer.status, answer.bytes.length],
        [304, 0],
        `${method} ${JSON.stringify(condition)}`,
      )
      assert.equal(answer.headers.get('etag'), etag)
    }
  }
  assert.equal((await get({'if-none-match': '"another"'})).status, redirects ? 302 : 200)
}

async function publish(server: LiveServer, wheel: BuiltFile): Promise<void> {
  const form = uploadForm(wheel, {name: 'big', version: '1.0'})
  const answer = await fetch(`${server.url}/simple/`, {
    method: 'POST',
    headers: {...form.headers, authorization},
    body: new Uint8Array(form.payload),
  })
  assert.equal(answer.status, 200, await answer.text())
}

describe('parts and conditions of stored files', () => {
  let wheel: BuiltFile
  before(async () => {
    wheel = await buildWheel({name: 'big', version: '1.0', files: {'big/data.bin': 300_000}})
  })
  it('hold in a bucket of Google, by every way', needs('fake-gcs-server'), async () => {
    await using temp = await tempDir()
    await using service = await startService('fake-gcs-server')
    await using key = await makeGoogleKey(temp.join('key.json'))
    for (const way of Object.values(ways)) {
      const settings = gcsSettings(service, {'storage.gcp_service_account_json_filename': key.file})
      await answersInParts({...settings, ...way}, wheel)
    }
  })
  it('hold in a container of Azure, by every way', needs('azurite'), async () => {
    await using service = await startService('azurite')
    for (const way of Object.values(ways)) await answersInParts({...azureSettings(service), ...way}, wheel)
  })
})
