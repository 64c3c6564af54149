import assert from 'node:assert/strict'
import {cp, readFile, stat, utimes, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {isSameSummary} from '../../src/lib/tasks/rebuild/merge.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {allDigestsAreRight, keysIn, packages} from '../tasks/migrate-places.js'
import {azureContainer, gcsBucket, s3Bucket} from './bucket-configs.js'
import {sqlConfig, tool} from './tool.js'

const secondsOf = async (path: string) => Math.floor((await stat(path)).mtimeMs / 1000)

describe('Packages that move', () => {
  it(
    'from files over Google, Azure and S3 back to files keep every byte, their metadata and their times',
    needs('fake-gcs-server', 'azurite', 'versitygw'),
    async () => {
      await using gcs = await startService('fake-gcs-server')
      await using azurite = await startService('azurite')
      await using s3 = await startService('versitygw')
      await using dir = await tempDir()
      await cp(packages, dir.join('first-packages'), {recursive: true})
      const keys = await keysIn(dir.join('first-packages'))
      for (const [index, key] of keys.entries()) {
        const time = 1_600_000_000 + index * 86_400
        await utimes(dir.join('first-packages', key), time, time)
      }
      await writeFile(dir.join('first.ini'), sqlConfig('first'))
      await writeFile(dir.join('gcs.ini'), gcsBucket(gcs.url))
      await writeFile(dir.join('azure.ini'), azureContainer(azurite))
      await writeFile(dir.join('s3.ini'), s3Bucket(s3.url, s3))
      await writeFile(dir.join('last.ini'), sqlConfig('last'))

      const places = ['first', 'gcs', 'azure', 's3', 'last']
      for (const [index, to] of places.slice(1).entries()) {
        const from = places[index] ?? ''
        const moved = await tool(dir.path, `ppc-migrate ${from}.ini ${to}.ini --json`)
        assert.equal(moved.code, 0, `${from} to ${to}: ${moved.stdout}${moved.stderr}`)
        const report = JSON.parse(moved.stdout) as {copied: number; oddityCount: number}
        assert.deepEqual([report.copied, report.oddityCount], [14, 0], `${from} to ${to}`)
      }
      const verified = await tool(dir.path, 'ppc-migrate first.ini last.ini --verify-only')
      assert.equal(verified.code, 0, verified.stderr)
      assert.match(verified.stderr, /^Verified 14 files/)

      assert.deepEqual(await keysIn(dir.join('last-packages')), keys)
      assert.equal(await allDigestsAreRight(dir.join('last-packages')), 14)
      for (const key of keys) {
        const [before, after] = [dir.join('first-packages', key), dir.join('last-packages', key)]
        assert.deepEqual(await readFile(after), await readFile(before), key)
        const [one, other] = [await metadataOf(before), await metadataOf(after)]
        assert.deepEqual(other.others, one.others, key)
        assert.ok(isSameSummary(one.summary, other.summary), other.summary) // S3 has no more than ASCII
        assert.equal(await secondsOf(after), await secondsOf(before), key)
      }
    },
  )
})

/** What must arrive: buckets keep the time of publication as metadata, a directory as the file's own. */
async function metadataOf(path: string) {
  const metadata = JSON.parse(await readFile(`${path}.meta`, 'utf8')) as Record<string, string>
  const {summary = '', ...rest} = metadata
  const given = Object.entries(rest).filter(([name, value]) => value !== '' && name !== 'upload_time')
  return {summary, others: Object.fromEntries(given)}
}
