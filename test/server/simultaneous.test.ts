import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {describe, it} from 'node:test'
import {startService} from '../services/index.js'
import {freePort} from '../support/free-port.js'
import {liveServer, startServer, testPassword} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {buildWheel} from '../support/wheels.js'
import {exampleKeys} from '../storage/s3-services.js'
import {azureSettings, gcsSettings, s3Settings} from './cloud-settings.js'
import {basic} from './installation.js'
import {uploadForm} from './upload-form.js'

/** Two processes on the settings: of many contents under one name, one is stored, listed and told of as published. */
async function oneOfManyWins(settings: Record<string, string>): Promise<void> {
  await using temp = await tempDir()
  await using one = await liveServer(temp.path, {...settings, 'pypi.allow_overwrite': ''})
  await using two = await startServer(temp.join('server.ini'), await freePort())
  const authorization = basic('writer', testPassword)
  const contents = await Promise.all(
    Array.from({length: 6}, (_, i) => buildWheel({name: 'rival', version: '1.0', summary: `number ${i}`})),
  )
  const answers = await Promise.all(
    [one, two].flatMap(({url}) =>
      contents.map(async (wheel, number) => {
        const form = uploadForm(wheel, {name: 'rival', version: '1.0'})
        const answer = await fetch(`${url}/simple/`, {
          method: 'POST',
          headers: {...form.headers, authorization},
          body: new Uint8Array(form.payload),
        })
        return {number, status: answer.status, reason: answer.statusText, body: await answer.text()}
      }),
    ),
  )
  const winners = answers.filter(({status}) => status === 200)
  const [winner] = winners
  assert.ok(winner, JSON.stringify(answers))
  for (const {number, status, reason, body} of answers) {
    assert.equal(status, number === winner.number ? 200 : 409, body)
    if (status === 409) assert.ok(/already exists/.test(reason) && /already exists/.test(body), reason)
  }
  const sha256 = createHash('sha256')
    .update(contents[winner.number]?.bytes ?? '')
    .digest('hex')
  for (const {url} of [one, two]) {
    const page = await fetch(`${url}/simple/rival/`, {headers: {authorization}})
    const [, digest] = /#sha256=([0-9a-f]{64})/.exec(await page.text()) ?? []
    assert.equal(digest, sha256)
    const file = await fetch(`${url}/api/package/rival/${contents[0]?.filename}`, {headers: {authorization}})
    assert.equal(
      createHash('sha256')
        .update(Buffer.from(await file.arrayBuffer()))
        .digest('hex'),
      sha256,
    )
  }
}

describe('of simultaneous uploads to two server processes, one wins', () => {
  it('in a directory with SQLite', () => oneOfManyWins({}))
  it('in a bucket with Redis', needs('moto', 'redis'), async () => {
    await using moto = await startService('moto')
    await using redis = await startService('redis')
    await oneOfManyWins(s3Settings(moto.url, exampleKeys, {'pypi.db': 'redis', 'db.url': redis.url}))
  })
  it('in a bucket of files with PostgreSQL', needs('versitygw', 'postgresql'), async () => {
    await using gateway = await startService('versitygw')
    await using database = await startService('postgresql')
    await oneOfManyWins({
      ...s3Settings(gateway.url, gateway),
      'db.url': await database.createDatabase(),
    })
  })
  it('in a bucket of Google', needs('fake-gcs-server'), async () => {
    await using service = await startService('fake-gcs-server')
    await oneOfManyWins(gcsSettings(service))
  })
  it('in a container of Azure', needs('azurite'), async () => {
    await using service = await startService('azurite')
    await oneOfManyWins(azureSettings(service))
  })
})
