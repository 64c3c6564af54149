import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {request as httpRequest} from 'node:http'
import {connect, type AddressInfo} from 'node:net'
import {after, before, describe, it} from 'node:test'
import {text} from 'node:stream/consumers'
import {waitFor} from '../support/wait.js'
import {buildSdist, buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {formOf, uploadForm, type FormPart} from './upload-form.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = authenticated
pypi.default_write = authenticated
pypi.max_upload_size = 3000000
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = config
user.ann = $6$rounds=20500$3DYRYCzu9t1/4zye$e/gXmV7yXJJ.6.VvRyz6BxsKBIGOlOyJKpLNyTnHvML9qpXAj.cX/47ezSqwqTmEggOunJSFjKUEQ6SfkaC4v1
`
const ann = basic('ann', 'Ada-pass-1')

describe('bad input', () => {
  let server: Installation
  let port: number
  before(async () => {
    server = await install(ini)
    await server.app.listen({host: '127.0.0.1', port: 0})
    port = (server.app.server.address() as AddressInfo).port
  })
  after(() => server[Symbol.asyncDispose]())

  const post = (form: {payload: Buffer; headers: Record<string, string>}, url = '/simple/', headers = {}) =>
    server.app.inject({
      method: 'POST',
      url,
      payload: form.payload,
      headers: {authorization: ann, ...form.headers, ...headers},
    })
  const stored = async (): Promise<string[]> =>
    (await readdir(server.directory, {recursive: true}))
      .filter(name => !/^(?:server\.ini|cache\.db.*|packages)$/.test(name))
      .sort()
  /** Nothing may be left of an upload that was refused: no file, no spool, no row. */
  const leavesNothing = async (work: () => Promise<unknown>): Promise<void> => {
    const [files, projects] = [await stored(), await server.backends.cache.listProjects()]
    await work()
    assert.deepEqual(await stored(), files)
    assert.deepEqual(await server.backends.cache.listProjects(), projects)
  }

  describe('paths', () => {
    for (const path of [
      '/simple/%00/',
      '/simple/a%0d%0ab/',
      '/simple/%ff/',
      '/%',
      '/simple/%2e%2e/',
      '/api/package/../../etc/passwd',
      '/api/package/foo/..%2f..%2fserver.ini',
    ]) {
      it(`${path} is refused`, async () => {
        const answer = await rawRequest(
          port,
          `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${ann}\r\nConnection: close\r\n\r\n`,
        )
        assert.match(answer, /^HTTP\/1\.1 40[04] /)
        assert.doesNotMatch(answer, /egg:pypicloud/)
      })
    }
    for (const name of [
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'a'.repeat(3000),
      'ü'.repeat(500),
    ]) {
      it(`the project ${name.slice(0, 20)} is unknown, like any other`, async () => {
        for (const url of [
          `/simple/${encodeURIComponent(name)}/`,
          `/pypi/${encodeURIComponent(name)}/json`,
          `/${encodeURIComponent(name)}/`,
        ]) {
          assert.equal((await server.app.inject({url, headers: {authorization: ann}})).statusCode, 404, url)
        }
        const api = await server.app.inject({
          url: `/api/package/${encodeURIComponent(name)}/`,
          headers: {authorization: ann},
        })
        assert.deepEqual(api.json(), {packages: [], write: true})
      })
    }
    it('a path that is too long is refused', async () => {
      const answer = await rawRequest(port, `GET /simple/${'a'.repeat(20_000)}/ HTTP/1.1\r\nHost: x\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 4(?:00|04|14|31) /)
    })
    it('a forged Host leads nobody away', async () => {
      for (const host of ['evil.example/x', 'a b', '"><script>', 'evil.example:99999999']) {
        const {headers} = await server.app.inject({url: '/simple', headers: {host}})
        assert.equal(headers.location, '/simple/')
      }
    })
    it('of two Hosts neither is believed', async () => {
      const answer = await rawRequest(
        port,
        'GET /simple HTTP/1.1\r\nHost: here:1\r\nHost: evil.example\r\n\r\n',
      )
      assert.match(answer, /^HTTP\/1\.1 302 /)
      assert.match(answer, /\r\nlocation: \/simple\/\r\n/i)
    })
    it('forwarded headers mean nothing without the prefix filter', async () => {
      const headers = {
        host: 'here:1',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        'x-forwarded-for': '9.9.9.9',
      }
      const answer = await server.app.inject({url: '/simple', headers})
      assert.equal(answer.headers.location, 'http://here:1/simple/')
    })
  })

  describe('requests hidden in others', () => {
    const hidden = `GET /simple/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${ann}\r\n\r\n`
    for (const [what, headers, body] of [
      ['two kinds of length', 'Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'],
      ['two lengths', 'Content-Length: 0\r\nContent-Length: 5', ''],
      ['a list of lengths', 'Content-Length: 0, 0', ''],
      ['a length with a sign', 'Content-Length: +0', ''],
      ['an encoding that is none', 'Transfer-Encoding: xchunked', '0\r\n\r\n'],
      ['an encoding behind chunked', 'Transfer-Encoding: chunked, identity', '0\r\n\r\n'],
      ['a blank before the colon', 'Transfer-Encoding : chunked', '0\r\n\r\n'],
      ['a folded header', 'X: a\r\n Transfer-Encoding: chunked', '0\r\n\r\n'],
      ['a bare line feed', 'X: a\nContent-Length: 5', ''],
      ['a chunk that is too long', 'Transfer-Encoding: chunked', 'FFFFFFFFFFFFFFFFF\r\n'],
      ['a chunk without its end', 'Transfer-Encoding: chunked', '1\r\naX0\r\n\r\n'],
      ['a length among the trailers', 'Transfer-Encoding: chunked', '0\r\nContent-Length: 5\r\n\r\n'],
    ] as const) {
      it(`by ${what} are not answered`, async () => {
        const answer = await rawRequest(
          port,
          `POST /acct/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}${hidden}`,
        )
        assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 400'])
      })
    }
  })

  describe('uploads', () => {
    const badNames = [
      '../../evil-1.0.tar.gz',
      '/etc/cron.d/evil-1.0.tar.gz',
      '..\\evil-1.0.tar.gz',
      'C:\\evil-1.0.tar.gz',
      '.evil-1.0.tar.gz',
      'evil\x01-1.0.tar.gz',
      `${'e'.repeat(300)}-1.0.tar.gz`,
      'evil.bin',
      '..',
      '',
    ]
    for (const filename of badNames) {
      it(`the file name ${JSON.stringify(filename.slice(0, 40))} is refused`, () =>
        leavesNothing(async () => {
          const {bytes} = await buildSdist({name: 'evil', version: '1.0'})
          const answer = await post(uploadForm({filename, bytes}, {name: 'evil', version: '1.0'}))
          assert.equal(answer.statusCode, 400, answer.payload)
        }))
    }
    for (const [field, value] of [
      ['version', '../../up'],
      ['version', '2.0'],
      ['name', '../evil'],
      ['name', 'other'],
      ['name', 'evil\0'],
      ['sha256_digest', '0'.repeat(64)],
      ['md5_digest', '0'.repeat(32)],
      ['blake2_256_digest', '0'.repeat(64)],
    ] as const) {
      it(`a wrong ${field} ${JSON.stringify(value.slice(0, 12))} is refused with a reason`, () =>
        leavesNothing(async () => {
          const file = await buildSdist({name: 'evil', version: '1.0'})
          const answer = await post(uploadForm(file, {name: 'evil', version: '1.0', [field]: value}))
          assert.equal(answer.statusCode, 400, answer.payload)
        }))
    }
    it('a digest that comes after the file counts too', () =>
      leavesNothing(async () => {
        const file = await buildSdist({name: 'evil', version: '1.0'})
        for (const name of ['sha256_digest', 'md5_digest', 'blake2_256_digest']) {
          const answer = await post(
            formOf([
              {name: 'content', value: file.bytes, filename: file.filename},
              {name: 'name', value: 'evil'},
              {name: 'version', value: '1.0'},
              {name, value: '0'.repeat(name === 'md5_digest' ? 32 : 64)},
            ]),
          )
          assert.equal(answer.statusCode, 400, answer.payload)
        }
      }))
    it('a truncated wheel is refused', () =>
      leavesNothing(async () => {
        const file = await buildWheel({name: 'evil', version: '1.0'})
        const answer = await post(
          uploadForm({...file, bytes: file.bytes.subarray(0, -30)}, {name: 'evil', version: '1.0'}),
        )
        assert.equal(answer.statusCode, 400, answer.payload)
      }))
    const file: FormPart = {name: 'content', filename: 'evil-1.0.tar.gz', value: 'x'}
    for (const [what, parts, status] of [
      ['two files', [file, file], 400],
      ['no file', [{name: 'name', value: 'evil'}], 400],
      ['a field instead of the file', [{name: 'content', value: 'x'}], 400],
      ['a field twice', [{name: 'name', value: 'evil'}, {name: 'name', value: 'other'}, file], 400],
      ['a name of a megabyte', [{name: 'name', value: 'e'.repeat(1_000_000)}, file], 400],
      ['5000 fields', [...Array.from({length: 5000}, (_, i) => ({name: `f${i}`, value: ''})), file], 400],
      ['a file that is too large', [{...file, value: Buffer.alloc(3_000_001)}], 413],
    ] as const) {
      it(`a form with ${what} is refused`, () =>
        leavesNothing(async () => assert.equal((await post(formOf(parts))).statusCode, status)))
    }
    it('a form that is none is refused', () =>
      leavesNothing(async () => {
        for (const type of [
          'multipart/form-data',
          'multipart/form-data; boundary=x',
          'application/json',
          'text/xml',
        ]) {
          const answer = await post({
            payload: Buffer.from('{"not": "a form"}'),
            headers: {'content-type': type},
          })
          assert.equal(answer.statusCode, 400, type)
        }
      }))
    it('a description of 20 MB does no harm', async () => {
      const built = await buildSdist({name: 'wordy', version: '1.0'})
      const answer = await post(
        uploadForm(built, {name: 'wordy', version: '1.0', description: 'd'.repeat(20_000_000)}),
      )
      assert.equal(answer.statusCode, 200, answer.payload)
    })
    it('a client that promises 3 GB and goes away leaves nothing', () =>
      leavesNothing(async () => {
        const before = await stored()
        const socket = connect(port, '127.0.0.1')
        socket.write(
          `POST /simple/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${ann}\r\nContent-Length: 2500000\r\n` +
            'Content-Type: multipart/form-data; boundary=b\r\n\r\n' +
            '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nevil\r\n' +
            '--b\r\nContent-Disposition: form-data; name="content"; filename="evil-1.0.tar.gz"\r\n\r\n',
        )
        socket.write(Buffer.alloc(500_000))
        await waitFor('the upload is on the disk', async () => (await stored()).length > before.length)
        socket.destroy()
        await waitFor('it is gone', async () => (await stored()).length === before.length)
      }))
    it('a body larger than ever allowed is refused before it is read', async () => {
      const answer = await rawRequest(
        port,
        `POST /simple/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${ann}\r\nContent-Length: 3000000000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n`,
      )
      assert.match(answer, /^HTTP\/1\.1 413 /)
    })
    it('a client that sends everything before it reads gets its 401, and its connection lives on', async () => {
      const payload = Buffer.alloc(30_000_000)
      const answer = await send(
        port,
        {authorization: basic('ann', 'wrong'), 'content-type': 'multipart/form-data; boundary=b'},
        payload,
      )
      assert.equal(answer.status, 401)
    })
    it('a client that is refused in the middle gets the reason', async () => {
      const form = formOf([
        {name: 'name', value: 'x'.repeat(100_000)},
        {name: 'content', filename: 'x-1.tar.gz', value: Buffer.alloc(2_900_000)},
      ])
      const answer = await send(port, {authorization: ann, ...form.headers}, form.payload)
      assert.equal(answer.status, 400)
      assert.match(answer.body, /'name'/)
    })
    it('two uploads of one file at the same moment: one file, and each gets a true answer', async () => {
      const same = await buildWheel({name: 'twin', version: '1.0'})
      const answers = await Promise.all(
        Array.from({length: 8}, () => post(uploadForm(same, {name: 'twin', version: '1.0'}))),
      )
      assert.deepEqual(
        answers.map(({statusCode}) => statusCode),
        Array(8).fill(200),
      )
      const others = await Promise.all(
        Array.from({length: 8}, async (_, i) => {
          const other = await buildWheel({name: 'rival', version: '1.0', summary: `number ${i}`})
          return post(uploadForm(other, {name: 'rival', version: '1.0'}))
        }),
      )
      assert.deepEqual(others.map(({statusCode}) => statusCode).sort(), [200, ...Array<number>(7).fill(409)])
    })
    it('Expect: 100-continue is answered', async () => {
      const built = await buildWheel({name: 'patient', version: '1.0'})
      const form = uploadForm(built, {name: 'patient', version: '1.0'})
      const answer = await send(
        port,
        {authorization: ann, expect: '100-continue', ...form.headers},
        form.payload,
      )
      assert.equal(answer.status, 200)
    })
  })

  describe('foreign web pages', () => {
    for (const headers of [
      {origin: 'https://evil.example'},
      {origin: 'null'},
      {'sec-fetch-site': 'cross-site'},
      {'sec-fetch-site': 'same-site'},
    ]) {
      it(`${JSON.stringify(headers)} changes nothing`, () =>
        leavesNothing(async () => {
          const built = await buildWheel({name: 'forged', version: '1.0'})
          assert.equal(
            (await post(uploadForm(built, {name: 'forged', version: '1.0'}), '/simple/', headers)).statusCode,
            403,
          )
        }))
    }
    it('our own page may', async () => {
      const built = await buildWheel({name: 'own', version: '1.0'})
      const headers = {host: 'here:1', origin: 'https://here:1'}
      assert.equal(
        (await post(uploadForm(built, {name: 'own', version: '1.0'}), '/simple/', headers)).statusCode,
        200,
      )
    })
  })
})

/** What the server says to `bytes`, up to the end of the connection or a second after something came. */
function rawRequest(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setTimeout(30_000, () => socket.destroy())
    socket.on('data', chunk => {
      answer += chunk.toString('latin1')
      socket.setTimeout(1000)
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

/** As Python's http.client: all is sent, then the answer is read. */
function send(
  port: number,
  headers: Record<string, string>,
  payload: Buffer,
): Promise<{status: number; body: string}> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/simple/',
      headers: {...headers, 'content-length': payload.length},
    })
    request.on(
      'response',
      response => void text(response).then(body => resolve({status: response.statusCode ?? 0, body}), reject),
    )
    request.on('error', reject)
    if (headers['expect'] === undefined) request.end(payload)
    else request.on('continue', () => request.end(payload)).flushHeaders()
  })
}
