import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {after, before, describe} from 'node:test'
import {describeObjectStore} from '../contracts/object-store.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {openGcs} from './open-gcs.js'

describe('Google Cloud Storage', needs('fake-gcs-server'), () => {
  let service: Service
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ppc-gcs-'))
    service = await startService('fake-gcs-server')
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
    await rm(directory, {recursive: true})
  })
  describeObjectStore('a bucket', () => openGcs(directory, service.url))
  describeObjectStore('a bucket with a prefix and no hashes', () =>
    openGcs(directory, service.url, {'storage.prefix': 'pkgs/', 'storage.prepend_hash': 'false'}),
  )
})
