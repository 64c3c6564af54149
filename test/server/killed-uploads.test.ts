import assert from 'node:assert/strict'
import {once} from 'node:events'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {openIndex} from '../index/open-index.js'
import {freePort} from '../support/free-port.js'
import {liveServer, startServer, testPassword} from '../support/live-server.js'
import {tempDir} from '../support/temp.js'
import {buildWheel} from '../support/wheels.js'

const authorization = `Basic ${Buffer.from(`writer:${testPassword}`).toString('base64')}`

describe('a server that is killed in the middle of uploads', () => {
  it('has stored and listed every file whose upload it answered', async () => {
    await using dir = await tempDir()
    await (await liveServer(dir.path))[Symbol.asyncDispose]() // writes the config
    const acknowledged: string[] = []
    let number = 0
    const upload = async (url: string): Promise<void> => {
      const name = `lost-${number % 5}`
      const {filename, bytes} = await buildWheel({name, version: `1.${(number += 1)}`})
      const form = new FormData()
      form.append(':action', 'file_upload')
      form.append('content', new Blob([bytes]), filename)
      const answer = await fetch(`${url}/simple/`, {method: 'POST', headers: {authorization}, body: form})
      assert.equal(answer.status, 200, await answer.text())
      acknowledged.push(filename)
    }
    for (const round of [1, 2, 3]) {
      await using server = await startServer(dir.join('server.ini'), await freePort())
      const before = acknowledged.length
      let alive = true
      const clients = Array.from({length: 4}, async () => {
        // what is under way when the server dies fails, and was never answered
        while (alive)
          await upload(server.url).catch((error: unknown) => {
            if (alive && error instanceof assert.AssertionError) throw error
          })
      })
      while (acknowledged.length < before + 10) await sleep(5)
      await sleep(Math.random() * 100 * round)
      const exited = once(server.process, 'exit')
      alive = false
      server.process.kill('SIGKILL')
      await Promise.all([exited, ...clients])
    }
    await using index = await openIndex(dir.path)
    for (const filename of acknowledged) {
      const row = await index.cache.findFile(filename)
      assert.ok(row, `${filename} is not listed`)
      assert.equal((await index.index.statFile(row)).size, row.data.size)
    }
  })
})
