import {after, before, describe} from 'node:test'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {describeObjectStore} from '../contracts/object-store.js'
import type {Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {exampleKeys, s3Config} from './s3-services.js'

const variants = [
  {title: 'as pypicloud has it by default', settings: {}},
  {
    title: 'with a prefix and without hashes',
    settings: {'storage.bucket': 'flat-packages', 'storage.prefix': 'pre', 'storage.prepend_hash': 'false'},
  },
]

/** The suite of the contract on a service that speaks S3, of whose listing a page has `objectsOnPage` at most. */
export function describeS3(
  name: 'moto' | 'versitygw',
  start: () => Promise<Service & {accessKeyId?: string; secretAccessKey?: string}>,
  objectsOnPage: number,
  excused: Readonly<Record<string, string>> = {},
): void {
  describe(name, needs(name), () => {
    let service: Awaited<ReturnType<typeof start>>
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
