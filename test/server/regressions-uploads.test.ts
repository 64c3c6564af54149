import assert from 'node:assert/strict'
import {once} from 'node:events'
import {connect, type AddressInfo} from 'node:net'
import {Readable} from 'node:stream'
import {after, before, describe, it} from 'node:test'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {createApp} from '../../src/lib/server/app.js'
import {gracefulClose} from '../../src/lib/server/shutdown.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {hashStream} from '../../src/lib/packaging/hashes.js'
import {buildSdist, buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {formOf} from './upload-form.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = config
auth.admins = root
user.root = $6$rounds=20500$3DYRYCzu9t1/4zye$e/gXmV7yXJJ.6.VvRyz6BxsKBIGOlOyJKpLNyTnHvML9qpXAj.cX/47ezSqwqTmEggOunJSFjKUEQ6SfkaC4v1
user.ann = $6$rounds=20500$3DYRYCzu9t1/4zye$e/gXmV7yXJJ.6.VvRyz6BxsKBIGOlOyJKpLNyTnHvML9qpXAj.cX/47ezSqwqTmEggOunJSFjKUEQ6SfkaC4v1
package.foo.user.ann = rw
package.foo-2.user.ann = r
`
const ann = basic('ann', 'Ada-pass-1')

describe('uploads, as operators saw them go wrong', () => {
  let server: Installation
  before(async () => {
    server = await install(ini)
    await server.app.listen({host: '127.0.0.1', port: 0})
  })
  after(() => server[Symbol.asyncDispose]())

  it('who may write foo could publish foo-2 by leaving the name out of the form', async () => {
    const sdist = await buildSdist({name: 'foo-2', version: '1.0'})
    const form = formOf([
      {name: ':action', value: 'file_upload'},
      {name: 'content', value: sdist.bytes, filename: 'foo-2-1.0.tar.gz'},
    ])
    const answer = await server.app.inject({
      method: 'POST',
      url: '/simple/',
      payload: form.payload,
      headers: {authorization: ann, ...form.headers},
    })
    assert.equal(answer.statusCode, 403)
    assert.deepEqual(await server.backends.cache.listProjects(), [])
  })

  it('a stranger filled the memory with form fields', async () => {
    const field = 'x'.repeat(900_000)
    const form = formOf(Array.from({length: 20}, (_, index) => ({name: `field${index}`, value: field})))
    const answer = await server.app.inject({
      method: 'PUT',
      url: '/api/user/mallory',
      payload: form.payload,
      headers: form.headers,
    })
    assert.equal(answer.statusCode, 413)
  })

  it('a file that another process deleted before it was listed stayed on the page', async () => {
    const {storage, cache} = server.backends
    const wheel = await buildWheel({name: 'race', version: '1.0'})
    // what another server does between our two steps
    const save: typeof cache.save = async (files, options) => {
      for (const file of files) await new PackageStorage(storage).delete(file)
      return cache.save(files, options)
    }
    const lateCache = new Proxy(cache, {
      get: (target, key) => {
        const member: unknown = key === 'save' ? save : Reflect.get(target, key, target)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    const index = new PackageIndex({storage, cache: lateCache, config: server.config})
    const body = {size: wheel.bytes.length, open: () => Readable.from([wheel.bytes])}
    const upload = {filename: wheel.filename, body, digests: await hashStream(body.open())}
    await assert.rejects(index.publish(upload, {overwrite: false}), /deleted just now/)
    assert.deepEqual(await cache.listFiles('race'), [])
  })

  for (const [who, sent] of [
    ['a connection with half a request line', 'GET /hea'],
    [
      'an upload that was refused but is still coming',
      'POST /simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{',
    ],
  ] as const)
    it(`${who} kept the server from ending`, async () => {
      const other = await install(ini)
      try {
        const app = createApp({...other.backends, config: other.config})
        const close = gracefulClose(app)
        await app.listen({host: '127.0.0.1', port: 0})
        const {port} = app.server.address() as AddressInfo
        const socket = connect(port, '127.0.0.1')
          .resume()
          .on('error', () => undefined)
        await once(socket, 'connect')
        socket.write(sent)
        await new Promise(resolve => setTimeout(resolve, 100))
        const cut = once(socket, 'close')
        await close() // it took minutes
        await cut
      } finally {
        await other[Symbol.asyncDispose]()
      }
    })
})
