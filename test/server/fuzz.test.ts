import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {connect, type AddressInfo} from 'node:net'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import fc from 'fast-check'
import {buildSdist, buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'

// Many cases with one seed, for a bounded time: a failure prints what to run again.
const runs = {seed: 20_261_121, numRuns: 1500, interruptAfterTimeLimit: 3000, markInterruptAsFailure: false}
const patience = 30_000 // ms until an answer that does not come counts as a hang

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = everyone
pypi.default_write = everyone
pypi.max_upload_size = 300000
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
auth.admins = admin
# "correct horse"
user.admin = $6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11
`
const admin = basic('admin', 'correct horse')

const nasty = fc.constantFrom(
  ...[
    '',
    '.',
    '..',
    '../..',
    '../../../../etc/cron.d/x',
    '..\\..\\x',
    'C:\\x',
    '/etc/passwd',
    '%2e%2e%2f',
    '%00',
    '\0',
  ],
  ...[
    'a\r\nSet-Cookie: x=1',
    '__proto__',
    'constructor',
    'toString',
    '\u202egnp.exe',
    '\ufeff',
    'é',
    'ß',
    '＿',
    '-',
    '_',
  ],
  ...[
    '<script>',
    '"><img src=x>',
    "' or 1=1 --",
    '${7*7}',
    '{{7*7}}',
    '*',
    '%',
    'CON',
    'nul',
    ':',
    'x'.repeat(300),
    '\ud800',
  ],
)
const word = fc.oneof(
  nasty,
  fc.string({unit: 'binary', maxLength: 40}),
  fc.constantFrom('foo', 'foo-1.0.tar.gz', '1.0'),
)

/** Bytes as they go over the wire; lone surrogates become U+FFFD. */
const text = (parts: readonly string[]): Buffer => Buffer.from(parts.join(''))

describe('whatever is sent', () => {
  let server: Installation
  let port: number

  before(async () => {
    server = await install(ini)
    await server.app.listen({host: '127.0.0.1', port: 0})
    port = (server.app.server.address() as AddressInfo).port
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
  })

  /** The status, or 0 where the server hangs up without one. Never 500, and never no end. */
  const send = (request: Buffer): Promise<number> =>
    new Promise((resolve, reject) => {
      let answer = ''
      const socket = connect(port, '127.0.0.1')
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new Error(`no answer to ${JSON.stringify(request.toString('latin1').slice(0, 2000))}`))
      }, patience)
      socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk))
      socket.on('error', () => undefined) // the server may hang up before all is sent
      socket.on('close', () => {
        clearTimeout(timer)
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
        if (status < 500) resolve(status)
        else reject(new Error(`${status} for ${JSON.stringify(request.toString('latin1').slice(0, 2000))}`))
      })
      socket.end(request) // no more is coming, so that nothing waits for the rest of a lie
    })
  const post = (path: string, headers: readonly string[], body: Buffer): Promise<number> =>
    send(
      Buffer.concat([
        text([`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n`]),
        text(headers.map(header => `${header}\r\n`)),
        text(['\r\n']),
        body,
      ]),
    )

  /** What lies in the storage and is no listed file, as soon as the last upload is done with. */
  const strangers = async (): Promise<string[]> => {
    for (let attempt = 0; ; attempt += 1) {
      const listed = new Set<string>()
      for (const project of await server.backends.cache.listProjects())
        for (const {filename} of await server.backends.cache.listFiles(project)) listed.add(filename)
      const stored = await readdir(join(server.directory, 'packages'), {recursive: true, withFileTypes: true})
      const others = stored
        .filter(entry => entry.isFile() && !/notes/.test(join(entry.parentPath, entry.name)))
        .map(({name}) => name)
        .filter(name => !listed.has(name.replace(/\.meta$/, '')))
      if (others.length === 0 || attempt > 50) return others
      await sleep(100)
    }
  }

  it('as an upload is answered with no 500, and writes nothing but packages', async () => {
    const files = [
      await buildSdist({name: 'foo', version: '1.0'}),
      await buildWheel({name: 'foo', version: '1.0'}),
      await buildWheel({name: 'foo', version: '1.0', summary: 'other bytes'}),
      {filename: 'foo-1.0.egg', bytes: Buffer.from('an egg')},
    ]
    const fieldName = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.constantFrom('name', 'version', 'summary', ':action', 'requires_python', 'filetype'),
      },
      {
        weight: 3,
        arbitrary: fc.constantFrom('sha256_digest', 'md5_digest', 'blake2_256_digest', 'attestations'),
      },
      {weight: 1, arbitrary: word},
    )
    const field = fc.record({name: fieldName, value: word})
    const change = fc.option(fc.tuple(fc.double({min: 0, max: 0.999, noNaN: true}), fc.nat(255)), {
      nil: undefined,
    })
    const file = fc.record({
      built: fc.constantFrom(...files),
      filename: fc.option(word, {nil: undefined}),
      change,
      header: fc.oneof({weight: 5, arbitrary: fc.constant('')}, {weight: 1, arbitrary: word}),
    })
    const form = fc.record({
      path: fc.constantFrom(
        '/',
        '/simple/',
        '/pypi',
        '/legacy/',
        '/api/package/foo/x',
        '/api/package/__proto__/x',
      ),
      boundary: fc.oneof({weight: 8, arbitrary: fc.constant('b')}, {weight: 1, arbitrary: word}),
      before: fc.array(field, {maxLength: 5}),
      files: fc.array(file, {minLength: 0, maxLength: 2}),
      after: fc.array(field, {maxLength: 3}),
      end: fc.oneof({weight: 5, arbitrary: fc.constant('--')}, {weight: 1, arbitrary: word}),
    })
    await fc.assert(
      fc.asyncProperty(form, async ({path, boundary, before: first, files: sent, after: last, end}) => {
        const fields = (list: typeof first) =>
          list.map(({name, value}) =>
            text([`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`, value, '\r\n']),
          )
        const parts = sent.flatMap(({built, filename, change: damage, header}) => {
          const bytes = Buffer.from(built.bytes)
          if (damage) bytes[Math.floor(damage[0] * bytes.length)] = damage[1]
          const name = filename ?? built.filename
          const head = `--b\r\nContent-Disposition: form-data; name="content"; filename="${name}"\r\n${header}\r\n\r\n`
          return [text([head]), bytes, text(['\r\n'])]
        })
        const body = Buffer.concat([...fields(first), ...parts, ...fields(last), text([`--b${end}\r\n`])])
        await post(
          path,
          [`Content-Type: multipart/form-data; boundary=${boundary}`, `Authorization: ${admin}`],
          body,
        )
      }),
      runs,
    )
    const beside = (await readdir(server.directory)).filter(
      name => !/^(?:server\.ini|packages|cache\.db.*)$/.test(name),
    )
    assert.deepEqual(beside, [])
    assert.deepEqual(await strangers(), [])
  })

  it('as a path or header is answered with no 500', async () => {
    const path = fc
      .tuple(
        fc.constantFrom(
          '/',
          '/simple/',
          '/pypi/',
          '/packages/',
          '/api/package/',
          '/api/user/',
          '/admin/',
          '/acct/',
          '/api/project/',
        ),
        fc.array(fc.tuple(word, fc.boolean()), {maxLength: 4}),
        fc.constantFrom('', '/', '/json', '/json/', '.metadata', '?', '?format=', '?verbose=1&verbose=2'),
      )
      .map(([start, segments, end]) => {
        const joined = segments.map(([segment, encoded]) =>
          encoded ? encodeURIComponent(Buffer.from(segment).toString()) : segment.replace(/[\s\0]/g, ''),
        )
        return `${start}${joined.join('/')}${end}`
      })
    const header = fc.tuple(
      fc.constantFrom(
        ...[
          'Accept',
          'Accept-Encoding',
          'Authorization',
          'Content-Type',
          'Content-Length',
          'Cookie',
          'Host',
          'Origin',
        ],
        ...[
          'If-None-Match',
          'If-Modified-Since',
          'If-Range',
          'Range',
          'Transfer-Encoding',
          'X-Forwarded-For',
          'X-Request-Id',
        ],
        ...['X-Forwarded-Host', 'X-Forwarded-Proto', 'Expect', 'Upgrade', 'Sec-Fetch-Site'],
      ),
      fc.oneof(
        word,
        fc.constantFrom(
          'bytes=0-0',
          'bytes=-1',
          'bytes=9-1',
          `bytes=${'0-,'.repeat(200)}`,
          'bytes=0-99999999999999999999',
        ),
        fc.constantFrom(
          'Basic',
          'Basic !',
          'Basic YQ==',
          'Bearer',
          'Bearer ppc_x',
          'chunked',
          '*',
          'gzip;q=x',
          'W/""',
          '1e9',
        ),
      ),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'),
        path,
        fc.array(header, {maxLength: 4}),
        fc.boolean(),
        async (method, where, headers, asAdmin) => {
          const lines = [
            `${method} ${where} HTTP/1.1`,
            'Host: x',
            'Connection: close',
            ...(asAdmin && !where.startsWith('/admin') ? [`Authorization: ${admin}`] : []),
            ...headers.map(([name, value]) => `${name}: ${value}`),
          ]
          await send(text([`${lines.join('\r\n')}\r\n\r\n`]))
        },
      ),
      runs,
    )
  })

  it('as XML-RPC or JSON is answered with no 500', async () => {
    const element = fc.constantFrom(
      ...[
        'methodCall',
        'methodName',
        'params',
        'param',
        'value',
        'string',
        'struct',
        'member',
        'name',
        'array',
        'data',
        'int',
      ],
      ...['__proto__', 'x', '!DOCTYPE a [<!ENTITY b "c">]', '?xml version="1.0"?', '![CDATA[', '!--'],
    )
    const {xml} = fc.letrec<{xml: string}>(tie => ({
      xml: fc.oneof(
        {maxDepth: 8, withCrossShrink: true},
        fc.oneof(word, fc.constantFrom('search', 'or', 'and', '&lt;', '&b;', '&#0;', '&#xffffff;', ']]>')),
        fc
          .tuple(element, fc.array(tie('xml'), {maxLength: 4}), fc.boolean())
          .map(([name, children, closed]) => `<${name}>${children.join('')}${closed ? `</${name}>` : ''}`),
      ),
    }))
    const call = fc
      .tuple(
        fc.constantFrom('search', 'list_packages', '__proto__', 'toString'),
        fc.array(xml, {maxLength: 3}),
        fc.boolean(),
      )
      .map(([method, params, whole]) =>
        whole
          ? `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params
              .map(param => `<param><value>${param}</value></param>`)
              .join('')}</params></methodCall>`
          : params.join(''),
      )
    const body = fc.oneof(
      fc.tuple(fc.constant('/pypi'), fc.constant('text/xml'), call),
      fc.tuple(
        fc.constantFrom('/api/user/password', '/acct/login', '/api/fetch', '/api/token', '/api/user/x'),
        fc.constantFrom('application/json', 'application/x-www-form-urlencoded'),
        fc.oneof(fc.json({maxDepth: 3}), word),
      ),
    )
    await fc.assert(
      fc.asyncProperty(body, async ([path, type, sent]) => {
        const [method, where] = path.startsWith('/api/user/x') ? ['PUT', path] : ['POST', path]
        const bytes = Buffer.from(sent)
        const head = `${method} ${where} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\n`
        await send(Buffer.concat([text([`${head}Content-Length: ${bytes.length}\r\n\r\n`]), bytes]))
      }),
      runs,
    )
  })

  it('leaves the server well', async () => {
    const healthy = await server.app.inject('/health')
    assert.deepEqual(healthy.json(), {access: '', cache: '', storage: ''})
    assert.equal((await server.app.inject('/simple/')).statusCode, 200)
  })
})
