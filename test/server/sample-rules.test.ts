import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {hashPassword} from '../../src/lib/access/passwords/index.js'
import {buildSdist, buildWheel, type BuiltFile} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

/** The sample rules of pypicloud's documentation (1.0.11, §1.6.2), with its users, passwords and, where they can be read in it, hashes. */
const ini = `[app:main]
use = egg:pypicloud
pypi.default_read = authenticated
pypi.fallback = none
pypi.allow_overwrite_groups = authenticated
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = config
user.stevearc = $5$rounds=80000$yiWi67QBJLDTvbI/$d6qIG/bIoM3hp0lxH8v/vzxg8Qc4CJbxbxiUH4MlnE7
user.dsa = $5$rounds=80000$U/lot7eW6gFvuvna$KDyrQvi40XXWzMRkBq1Z/0odJEXzqUVNaPIArL/W0s6
user.donlan = DONLAN
group.sharkfest =
    stevearc
    dsa
group.brotatos =
    donlan
    dsa
package.django_unchained.user.stevearc = rw
package.django_unchained.group.sharkfest = rw
package.polite_requests.user.dsa = rw
package.polite_requests.group.authenticated = r
package.polite_requests.group.brotatos = rw
package.pyramid_head.group.brotatos = rw
package.pyramid_head.group.everyone = r
`
const passwords = {stevearc: 'gunface', dsa: 'paranoia', donlan: 'osptony', everyone: undefined} as const
type Reader = keyof typeof passwords

/** The documentation's table of who may do what. */
const table: Readonly<Record<string, Readonly<Record<Reader, '' | 'r' | 'rw'>>>> = {
  django_unchained: {stevearc: 'rw', dsa: 'rw', donlan: '', everyone: ''},
  polite_requests: {stevearc: 'r', dsa: 'rw', donlan: 'rw', everyone: ''},
  pyramid_head: {stevearc: 'r', dsa: 'rw', donlan: 'rw', everyone: 'r'},
}

describe("the documentation's sample rules", () => {
  let server: Installation
  const files = new Map<string, {wheel: BuiltFile; sdist: BuiltFile}>()
  const headersOf = (reader: Reader): Record<string, string> => {
    const password = passwords[reader]
    return password === undefined ? {} : {authorization: basic(reader, password)}
  }
  const ask = (method: 'GET' | 'HEAD' | 'DELETE', url: string, reader: Reader, headers = {}) =>
    server.app.inject({method, url, headers: {...headersOf(reader), ...headers}})
  const upload = (url: string, reader: Reader, file: BuiltFile, fields: Record<string, string>) => {
    const form = uploadForm(file, fields)
    return server.app.inject({
      method: 'POST',
      url,
      payload: form.payload,
      headers: {...headersOf(reader), ...form.headers},
    })
  }

  before(async () => {
    server = await install(ini.replace('DONLAN', await hashPassword('osptony')))
    for (const name of Object.keys(table)) {
      const [wheel, sdist] = [
        await buildWheel({name, version: '1.0'}),
        await buildSdist({name, version: '1.0'}),
      ]
      files.set(name, {wheel, sdist})
      for (const file of [wheel, sdist]) {
        const answer = await upload('/simple/', 'dsa', file, {name, version: '1.0'}) // dsa may write all three
        assert.equal(answer.statusCode, 200, answer.payload)
      }
    }
  })
  after(() => server[Symbol.asyncDispose]())

  for (const [name, rights] of Object.entries(table)) {
    for (const reader of Object.keys(rights) as Reader[]) {
      const normalized = name.replaceAll('_', '-')
      const [mayRead, mayWrite] = [rights[reader].includes('r'), rights[reader].includes('w')]
      const refused = reader === 'everyone' ? 401 : 403
      const absent = reader === 'everyone' ? 401 : 404 // the index does not tell users what exists

      it(`${reader} ${mayRead ? 'sees' : 'does not see'} ${name} in the lists`, async () => {
        for (const url of ['/simple/', '/pypi/', '/packages/', '/api/package/', '/api/package/?verbose=1']) {
          const answer = await ask('GET', url, reader)
          assert.equal(answer.statusCode, 200)
          assert.equal(answer.payload.includes(normalized), mayRead, url)
        }
        const json = await ask('GET', '/simple/', reader, {accept: 'application/vnd.pypi.simple.v1+json'})
        assert.equal(json.payload.includes(`"${normalized}"`), mayRead)
      })
      it(`${reader} ${mayRead ? 'reads' : 'does not read'} the pages of ${name}`, async () => {
        for (const spelling of [name, normalized, name.toUpperCase()]) {
          for (const url of [
            `/simple/${spelling}/`,
            `/pypi/${spelling}/`,
            `/${spelling}/`,
            `/pypi/${spelling}/json`,
          ]) {
            for (const method of ['GET', 'HEAD'] as const) {
              assert.equal(
                (await ask(method, url, reader)).statusCode,
                mayRead ? 200 : absent,
                `${method} ${url}`,
              )
            }
          }
          const json = await ask('GET', `/simple/${spelling}/`, reader, {
            accept: 'application/vnd.pypi.simple.v1+json',
          })
          assert.equal(json.statusCode, mayRead ? 200 : absent)
          const list = await ask('GET', `/api/package/${spelling}/`, reader)
          assert.equal(list.statusCode, mayRead ? 200 : refused)
          if (mayRead) assert.equal(list.json<{write: boolean}>().write, mayWrite)
        }
      })
      for (const kind of ['wheel', 'sdist'] as const) {
        it(`${reader} ${mayRead ? 'downloads' : 'does not download'} the ${kind} of ${name}`, async () => {
          const {filename, bytes} = files.get(name)![kind]
          const answer = await ask('GET', `/api/package/${name}/${filename}`, reader)
          assert.equal(answer.statusCode, mayRead ? 200 : refused)
          if (mayRead) assert.deepEqual(answer.rawPayload, bytes)
          const head = await ask('HEAD', `/api/package/${name}/${filename}`, reader)
          assert.equal(head.statusCode, mayRead ? 200 : refused)
        })
        it(`${reader} ${mayWrite ? 'uploads and deletes' : 'neither uploads nor deletes'} a ${kind} of ${name}`, async () => {
          const build = kind === 'wheel' ? buildWheel : buildSdist
          const version = `2.${Object.keys(rights).indexOf(reader)}`
          const file = await build({name, version})
          const url = `/api/package/${name}/${file.filename}`
          const status = mayWrite ? 200 : refused
          for (const target of ['/simple/', '/pypi/', '/', '/legacy/']) {
            assert.equal((await upload(target, reader, file, {name, version})).statusCode, status, target)
          }
          assert.equal((await upload(url, reader, file, {})).statusCode, status)
          if (!mayWrite) {
            const old = files.get(name)![kind].filename
            assert.equal((await ask('DELETE', `/api/package/${name}/${old}`, reader)).statusCode, refused)
            return
          }
          assert.equal((await ask('DELETE', url, reader)).statusCode, 200)
          assert.equal((await ask('GET', url, reader)).statusCode, 404)
        })
      }
    }
  }

  it('a right on one project opens no file of another', async () => {
    const {filename} = files.get('django_unchained')!.wheel
    assert.equal((await ask('GET', `/api/package/pyramid_head/${filename}`, 'donlan')).statusCode, 404)
    assert.equal((await ask('DELETE', `/api/package/pyramid_head/${filename}`, 'donlan')).statusCode, 400)
    assert.equal((await ask('GET', `/api/package/django_unchained/${filename}`, 'stevearc')).statusCode, 200)
  })
})
