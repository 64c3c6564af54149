import {after, before, describe} from 'node:test'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {describeObjectStore} from '../contracts/object-store.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {exampleKeys, s3Config} from './s3-services.js'

const variants = [
  {title: 'as pypicloud has it by default', settings: {}},
  {
    title: 'with a prefix and without hashes',
    settings: {'storage.bucket': 'flat-packages', 'storage.prefix': 'pre', 'storage.prepend_hash': 'false'},
  },
]

for (const name of ['moto', 'versitygw'] as const) {
  describe(name, needs(name), () => {
    let service: Service & {accessKeyId?: string; secretAccessKey?: string}
    before(async () => {
      service = await startService(name)
    })
    after(() => service[Symbol.asyncDispose]())
    for (const {title, settings} of variants) {
      describeObjectStore(`s3 on ${name}, ${title},`, async () =>
        openS3Store(await s3Config(service.url, settings, {...exampleKeys, ...service})),
      )
    }
  })
}
