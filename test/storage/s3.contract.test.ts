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

const services = [
  {
    name: 'moto',
    start: () => startService('moto', {objectsOnPage: 100}),
    objectsOnPage: 100,
    excused: {
      'lets exactly one of several writers create an object':
        'moto looks whether it is there before it writes',
    },
  },
  {name: 'versitygw', start: () => startService('versitygw'), objectsOnPage: 1000, excused: {}},
]

for (const {name, start, objectsOnPage, excused} of services) {
  describe(name, needs(name), () => {
    let service: Service & {accessKeyId?: string; secretAccessKey?: string}
    before(async () => {
      service = await start()
    })
    after(() => service[Symbol.asyncDispose]())
    for (const {title, settings} of variants) {
      const open = async () =>
        openS3Store(await s3Config(service.url, settings, {...exampleKeys, ...service}))
      describeObjectStore(`s3 on ${name}, ${title},`, open, excused, objectsOnPage)
    }
  })
}
