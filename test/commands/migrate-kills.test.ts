import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {cp, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {readConfig} from '../../src/lib/config/config.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {migrateFiles} from '../../src/lib/tasks/migrate/migrate.js'
import {startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {allDigestsAreRight, packages} from '../tasks/migrate-places.js'
import {s3Bucket} from './bucket-configs.js'
import {binPath, sqlConfig, tool} from './tool.js'

const files = 14 + 16
const kills = 2
const concurrency = 4

describe('ppc-migrate that is killed again and again', needs('versitygw'), () => {
  let service: Service & {accessKeyId: string; secretAccessKey: string}
  let proxy: FaultProxy
  before(async () => {
    service = await startService('versitygw')
    proxy = await startFaultProxy(service.url)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  /** Requests that moved a file. */
  const transfers = (method: string) =>
    proxy.requests.filter(
      request => request.method === method && /\.(?:whl|egg|zip|tar\.gz)(?:\?|$)/.test(request.path),
    ).length

  /** Kills the migration at a random moment after it has moved some file, and ends it at last. */
  async function migrateWithKills(cwd: string, line: string, method: string, check: () => Promise<unknown>) {
    const [name = '', ...args] = line.split(' ')
    const slowly = ['--bandwidth', '10kB/s', '--concurrency', String(concurrency)]
    proxy.requests.length = 0
    for (let kill = 0; kill < kills; kill += 1) {
      const moved = transfers(method)
      const child = spawn(process.execPath, [binPath(name), ...args, ...slowly], {cwd, stdio: 'ignore'})
      const ended = once(child, 'exit')
      while (child.exitCode === null && transfers(method) <= moved) await sleep(5)
      await sleep(Math.random() * 600)
      child.kill('SIGKILL')
      await ended
      await check()
    }
    const done = await tool(cwd, `${line} --json`)
    assert.equal(done.code, 0, done.stdout)
    const {copied, skipped} = JSON.parse(done.stdout) as {copied: number; skipped: number}
    assert.equal(copied + skipped, files)
    assert.ok(transfers(method) <= files + kills * concurrency, `${transfers(method)} transfers`)
    const verified = await tool(cwd, `${line} --verify-only --json`)
    assert.equal((JSON.parse(verified.stdout) as {verified: number}).verified, files, verified.stdout)
  }

  it('copies nothing to S3 and back twice but what was in flight, and leaves nothing half', async () => {
    await using dir = await tempDir()
    await cp(packages, dir.join('old-packages'), {recursive: true})
    for (let index = 14; index < files; index += 1) {
      for (const end of ['', '.meta']) {
        const copy = dir.join(`old-packages/copy-${index}/1.0/copy_${index}-1.0-py2.7.egg${end}`)
        await cp(join(packages, `eggy/1.0/eggy-1.0-py2.7.egg${end}`), copy)
      }
    }
    await writeFile(dir.join('old.ini'), sqlConfig('old'))
    await writeFile(dir.join('s3.ini'), s3Bucket(proxy.url, service))
    await writeFile(dir.join('new.ini'), sqlConfig('new'))
    await using original = await openDirectory(dir.join('old-packages'))
    const allInBucketAreWhole = async () => {
      await using bucket = await openS3Store(await readConfig(dir.join('s3.ini')))
      assert.deepEqual((await migrateFiles(bucket, original, {verifyOnly: true})).failed, [])
    }
    await migrateWithKills(dir.path, 'ppc-migrate old.ini s3.ini', 'PUT', allInBucketAreWhole)
    await migrateWithKills(dir.path, 'ppc-migrate s3.ini new.ini', 'GET', () =>
      allDigestsAreRight(dir.join('new-packages')),
    )
    assert.equal(await allDigestsAreRight(dir.join('new-packages')), files)
  })
})
