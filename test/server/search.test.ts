import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = everyone
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
auth.admins = admin
# "correct horse"
user.admin = $6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11
package.secret-tool.user.nobody = r
`
const authorization = basic('admin', 'correct horse')
const list = (...texts: string[]): string =>
  `<array><data>${texts.map(text => `<value><string>${text}</string></value>`).join('')}</data></array>`
const member = (name: string, ...texts: string[]): string =>
  `<member><name>${name}</name><value>${list(...texts)}</value></member>`
const call = (criteria: string, operator = 'or', method = 'search'): string =>
  `<?xml version="1.0" encoding="utf-8"?>\n<methodCall><methodName>${method}</methodName><params>` +
  `<param><value><struct>${criteria}</struct></value></param>` +
  `<param><value>${operator}</value></param></params></methodCall>`

describe('XML-RPC search', () => {
  let server: Installation
  before(async () => {
    server = await install(ini)
    for (const [name, summary] of [
      ['some-tool', 'Fast & small: 100% <good> 🚀'],
      ['some_other', 'Slow'],
      ['secret-tool', 'hidden'],
    ] as const) {
      const wheel = await buildWheel({name, version: '1.0', summary})
      const form = uploadForm(wheel, {name, version: '1.0', summary})
      const {payload, headers} = form
      const answer = await server.app.inject({
        method: 'POST',
        url: '/simple/',
        headers: {...headers, authorization},
        payload,
      })
      assert.equal(answer.statusCode, 200, answer.payload)
    }
  })
  after(() => server[Symbol.asyncDispose]())

  const post = (payload: string | Buffer, headers: Record<string, string> = {}) =>
    server.app.inject({
      method: 'POST',
      url: '/pypi',
      headers: {'content-type': 'text/xml', ...headers},
      payload,
    })
  const found = async (body: string, headers?: Record<string, string>) =>
    [...(await post(body, headers)).payload.matchAll(/<name>name<\/name>\n<value><string>([^<]*)/g)].map(
      ([, name]) => name,
    )
  const faultOf = async (body: string | Buffer) => /<int>(-\d+)<\/int>/.exec((await post(body)).payload)?.[1]

  it('shows nobody a project that he may not read', async () => {
    assert.deepEqual(await found(call(member('name', 'tool'))), ['some-tool'])
    assert.deepEqual(await found(call(member('name', 'tool')), {authorization}), ['secret-tool', 'some-tool'])
  })

  it('joins the words by "and" or by "or"', async () => {
    const words = member('name', 'some', 'tool')
    assert.deepEqual(await found(call(words, 'or')), ['some-other', 'some-tool'])
    assert.deepEqual(await found(call(words, 'and')), ['some-tool'])
  })

  it('takes % and _ as they are, and reads and writes entities', async () => {
    assert.deepEqual(await found(call(member('name', '_'))), [])
    assert.deepEqual(await found(call(member('summary', '100%'))), ['some-tool'])
    assert.deepEqual(await found(call(member('summary', '&amp; small: 100&#37; &lt;good&#x3E; &#x1F680;'))), [
      'some-tool',
    ])
    assert.deepEqual(await found(call(member('summary', '<![CDATA[<good>]]>'))), ['some-tool'])
    const {payload} = await post(call(member('summary', 'fast')))
    assert.match(payload, /<string>Fast &amp; small: 100% &lt;good&gt; 🚀<\/string>/)
  })

  it('answers what is no call with a fault', async () => {
    assert.equal(await faultOf(''), '-32700')
    assert.equal(await faultOf('{"method": "search"}'), '-32700')
    assert.equal(await faultOf('<methodCall><methodName>search</methodName>'), '-32700')
    assert.equal(await faultOf(call('', 'or', 'system.listMethods')), '-32601')
    assert.equal(await faultOf(call('').replace('<value>or</value>', list('or'))), '-32602')
    assert.equal(await faultOf(call(member('name', 'a').replaceAll('string>', 'struct>'))), '-32602')
  })

  it('expands no entities, reads no files, and goes no deeper than a call needs', async () => {
    const bomb = Array.from({length: 20}, (_, i) => `<!ENTITY e${i + 1} "&e${i};&e${i};">`).join('')
    const evil = (document: string, name: string) =>
      call(member('name', name)).replace('?>', `?><!DOCTYPE x [${document}]>`)
    assert.equal(await faultOf(evil(`<!ENTITY e0 "ha">${bomb}`, '&e20;')), '-32700')
    assert.equal(await faultOf(evil('<!ENTITY file SYSTEM "file:///etc/passwd">', '&file;')), '-32700')
    assert.equal(await faultOf('<a>'.repeat(10_000) + '</a>'.repeat(10_000)), '-32700')
    assert.deepEqual(await found(call(member('__proto__', 'x') + member('name', 'tool'))), ['some-tool'])
  })

  it('looks for a hundred words at once, and for no more', async () => {
    const words = (count: number) => member('name', ...Array.from({length: count}, (_, i) => `tool${i}`))
    assert.deepEqual(await found(call(words(99) + member('summary', 'no such thing'))), [])
    assert.equal(await faultOf(call(words(100) + member('summary', 'one too many'))), '-32602')
    assert.equal(await faultOf(call(words(1500))), '-32602')
  })
  it('refuses a call that is too long', async () => {
    const {statusCode} = await post(Buffer.alloc(10_000_000, 'x'))
    assert.equal(statusCode, 413)
  })
})
