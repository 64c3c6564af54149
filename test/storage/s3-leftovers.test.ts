import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {CreateMultipartUploadCommand, UploadPartCommand, type S3Client} from '@aws-sdk/client-s3'
import {computedKey} from '../../src/lib/storage/layout.js'
import {s3Client} from '../../src/lib/storage/s3/client.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {readS3Settings} from '../../src/lib/storage/s3/settings.js'
import type {Leftover, ObjectStore} from '../../src/lib/storage/storage.js'
import {bodyOf} from '../contracts/object-store.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {exampleKeys, s3Config} from './s3-services.js'

for (const name of ['moto', 'versitygw'] as const) {
  describe(`uploads that nobody has ended, on ${name}`, needs(name), () => {
    let service: Service & {accessKeyId?: string; secretAccessKey?: string}
    let store: ObjectStore
    let client: S3Client
    before(async () => {
      service = await startService(name)
      const config = await s3Config(service.url, {'storage.prefix': 'pypi/'}, {...exampleKeys, ...service})
      store = await openS3Store(config)
      client = s3Client(readS3Settings(config, {}), 'us-east-1')
    })
    after(async () => {
      client.destroy()
      await store[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
    })

    const interrupt = async (key: string) => {
      const target = {Bucket: 'packages', Key: key}
      const {UploadId} = await client.send(new CreateMultipartUploadCommand(target))
      await client.send(
        new UploadPartCommand({...target, UploadId, PartNumber: 1, Body: Buffer.from('first part')}),
      )
    }
    const found = async () => {
      const leftovers: Leftover[] = []
      for await (const leftover of store.leftovers?.() ?? []) leftovers.push(leftover)
      return leftovers
    }

    it('are found and removed, and what others upload into the bucket stays', async () => {
      const [key, other] = ['acme-1.0.tar.gz', 'acme-1.1.tar.gz'].map(
        filename => 'pypi/' + computedKey('hashed', {name: 'acme', version: '1.0', filename}),
      ) as [string, string]
      await store.put(key, bodyOf('whole'), {replace: false})
      for (const interrupted of [key, key, other, 'backups/db.tar.gz', 'pypi/notes.txt'])
        await interrupt(interrupted)
      const leftovers = await found()
      assert.deepEqual(leftovers.map(leftover => leftover.key).sort(), [key, key, other].sort())
      const begun = leftovers.map(({modified}) => Math.abs(modified.getTime() - Date.now()))
      if (name !== 'moto') assert.ok(Math.max(...begun) < 600_000) // moto has one time for all

      for (const leftover of leftovers) await leftover.remove()
      assert.deepEqual(await found(), [])
      for (const leftover of leftovers) await leftover.remove() // somebody else was quicker
      assert.equal((await store.stat(key)).size, 5)
    })
  })
}
