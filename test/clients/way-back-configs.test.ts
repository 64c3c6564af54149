import assert from 'node:assert/strict'
import {once} from 'node:events'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {tool} from '../commands/tool.js'
import {freePort} from '../support/free-port.js'
import {startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {editConfig, makeOriginalConfig, originalAdminPassword, startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {buildSdist} from '../support/wheels.js'

const asAdmin = {authorization: `Basic ${Buffer.from(`admin:${originalAdminPassword}`).toString('base64')}`}
const toNobody = {'pypi.fallback': 'redirect', 'pypi.fallback_base_url': 'http://127.0.0.1:9'}
const filename = 'acme-1.0.tar.gz'

/** The administrator gets in, publishes a file and reads it back. */
async function publishesAndServes(url: string): Promise<void> {
  const {bytes} = await buildSdist({name: 'acme', version: '1.0'})
  const form = new FormData()
  form.set(':action', 'file_upload')
  form.set('content', new Blob([new Uint8Array(bytes)]), filename)
  const done = await fetch(`${url}/simple/`, {method: 'POST', headers: asAdmin, body: form})
  assert.equal(done.status, 200, await done.text())
  await serves(url)
}

async function serves(url: string): Promise<void> {
  const {bytes} = await buildSdist({name: 'acme', version: '1.0'})
  const page = await fetch(`${url}/simple/acme/`, {headers: asAdmin})
  assert.match(await page.text(), /acme-1\.0\.tar\.gz/)
  const file = await fetch(`${url}/api/package/acme/${filename}`, {headers: asAdmin})
  assert.equal(file.status, 200)
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), bytes)
  assert.equal((await fetch(`${url}/admin/user`, {headers: asAdmin})).status, 200)
}

describe('configs go between pypicloud and this server', needs('pypicloud'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  before(async () => {
    temp = await tempDir()
  })
  after(async () => temp[Symbol.asyncDispose]())

  for (const form of ['-d', '-t', '-p', '-r'] as const) {
    it(`what ppc-make-config ${form} of either writes starts both`, async () => {
      for (const maker of ['theirs', 'ours'] as const) {
        const directory = temp.join(maker + form)
        await mkdir(directory)
        const file = join(directory, 'server.ini')
        if (maker === 'theirs') await makeOriginalConfig(form, file)
        else {
          const made = await tool(
            directory,
            ['ppc-make-config', form, '--storage', 'file', '--admin', 'admin', '--password-stdin', file],
            {input: originalAdminPassword},
          )
          assert.equal(made.code, 0, made.stderr)
        }
        const port = await freePort()
        await editConfig(file, port, toNobody)
        const starts = [() => startOriginal(file, port), async () => startServer(file, await freePort())]
        const [first, second] = maker === 'theirs' ? starts : starts.reverse()
        {
          await using server = await first?.()
          await publishesAndServes(server?.url ?? '')
        }
        await using server = await second?.()
        await serves(server?.url ?? '')
      }
    })
  }

  it('databases that are made here, and a killed server of ours, are no obstacle to pypicloud', async () => {
    const file = temp.join('fresh.ini')
    const port = await freePort()
    await makeOriginalConfig('-t', file)
    await editConfig(file, port, {
      ...toNobody,
      'pypi.auth': 'sql',
      'auth.db.url': 'sqlite:///%(here)s/all.sqlite', // one file for both
      'db.url': 'sqlite:///%(here)s/all.sqlite',
    })
    const killed = await startServer(file, await freePort())
    const registered = await fetch(`${killed.url}/api/user/admin`, {
      method: 'PUT',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({password: originalAdminPassword}),
    })
    assert.equal(registered.status, 200, await registered.text())
    await publishesAndServes(killed.url)
    killed.process.kill('SIGKILL')
    await once(killed.process, 'exit')

    await using there = await startOriginal(file, port)
    await serves(there.url)
    await using here = await startServer(file, await freePort())
    await serves(here.url)
    const rebuilt = await fetch(`${there.url}/admin/rebuild`, {headers: asAdmin})
    assert.equal(rebuilt.status, 200, await rebuilt.text())
    await serves(there.url)
    await serves(here.url)
  })
})
