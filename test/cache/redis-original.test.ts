import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {completeMark, type Cache} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startService, type Service} from '../services/index.js'
import {freePort, testPassword, testPasswordHash} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {startOriginal, type OriginalServer} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {open} from './open-redis.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${testPassword}`).toString('base64')}`}

describe('pypicloud and this cache on one Redis server', needs('pypicloud', 'redis', 'redis-cli'), () => {
  let dir: Awaited<ReturnType<typeof tempDir>>
  let redis: Service
  let original: OriginalServer
  let cache: Cache
  before(async () => {
    dir = await tempDir()
    redis = await startService('redis')
    const port = await freePort()
    await mkdir(dir.join('packages'))
    const config = [
      '[app:main]',
      'use = egg:pypicloud',
      'pypi.storage = file',
      'storage.dir = %(here)s/packages',
      'pypi.db = redis',
      `db.url = ${redis.url}/4`,
      'auth.admins = admin',
      `user.admin = ${testPasswordHash}`,
      'session.validate_key = key',
      '[server:main]',
      'use = egg:waitress#main',
      'host = 127.0.0.1',
      `port = ${port}`,
    ]
    await writeFile(dir.join('server.ini'), `${config.join('\n')}\n`)
    original = await startOriginal(dir.join('server.ini'), port)
    cache = await open(`${redis.url}/4`)
  })
  after(async () => {
    await cache[Symbol.asyncDispose]()
    await original[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })
  const upload = async (name: string, version: string) => {
    const form = new FormData()
    const fields = {
      ':action': 'file_upload',
      name,
      version,
      summary: `Zähler ${version}`,
      requires_python: '>=3',
    }
    for (const [key, value] of Object.entries(fields)) form.set(key, value)
    form.set('content', new Blob(['bytes']), `${name}-${version}.tar.gz`)
    const done = await fetch(`${original.url}/simple/`, {method: 'POST', headers, body: form})
    assert.equal(done.status, 200, await done.text())
  }
  const page = async (name: string) => {
    const answer = await fetch(`${original.url}/simple/${name}/`, {headers, redirect: 'manual'})
    return [...(await answer.text()).matchAll(/>([^<]+\.(?:tar\.gz|whl))</g)].map(([, filename]) => filename)
  }
  const ours: DistFile = {
    filename: 'ours-1.0-py3-none-any.whl',
    name: 'ours',
    version: '1.0',
    lastModified: new Date(),
    summary: 'über 🎉',
    data: {size: 5, fingerprint: 'a', uploader: 'bob', upload_time: '2026-11-20T23:09:52.673762Z'},
  }

  it('what either writes and deletes, the other shows at once', async () => {
    const token = await cache.changeToken()
    await upload('theirs', '1.0')
    assert.notEqual(await cache.changeToken(), token)
    const [found] = await cache.listFiles('theirs')
    assert.equal(found?.filename, 'theirs-1.0.tar.gz')
    assert.equal(found.summary, 'Zähler 1.0')
    assert.equal(found.data.requires_python, '>=3')
    await cache.save([ours])
    assert.deepEqual(await page('ours'), [ours.filename])
    const listing = await fetch(`${original.url}/api/package/?verbose=true`, {headers})
    const {packages} = (await listing.json()) as {packages: {name: string; summary: string}[]}
    assert.equal(packages.find(({name}) => name === 'ours')?.summary, ours.summary)
    const gone = await fetch(`${original.url}/api/package/theirs/theirs-1.0.tar.gz`, {
      method: 'DELETE',
      headers,
    })
    assert.equal(gone.status, 200)
    assert.deepEqual(await cache.listProjects(), ['ours'])
    await cache.remove([ours])
    assert.deepEqual(await page('ours'), [])
  })

  it('its rebuild ends the complete mark, its uploads do not, and it reads rows that bear witness', async () => {
    await upload('kept', '1.0')
    await cache.setState(completeMark, 'now')
    await upload('kept', '2.0')
    await upload('kept', '1.1')
    assert.equal(await cache.getState(completeMark), 'now')
    assert.deepEqual(await page('kept'), ['kept-1.0.tar.gz', 'kept-1.1.tar.gz', 'kept-2.0.tar.gz'])
    const rebuilt = await fetch(`${original.url}/admin/rebuild`, {headers})
    assert.equal(rebuilt.status, 200)
    assert.equal((await cache.listFiles('kept')).length, 3)
    assert.equal(await cache.getState(completeMark), undefined)
  })
})
