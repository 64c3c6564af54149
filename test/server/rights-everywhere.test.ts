import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import type {AclEntry} from '../../src/lib/access/access.js'
import {
  accessPlaces,
  canWrite,
  fillAccess,
  passwordOf,
  placeNames,
  type FilledAccess,
} from '../support/access-places.js'
import {needs} from '../support/needs.js'
import {buildWheel, type BuiltFile} from '../support/wheels.js'
import type {OpenApi} from './declared-answers.js'
import {basic, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const user = (username: string, admin = false): AclEntry => ({
  ...{kind: 'user', username, admin, passwordHash: null},
})
const entries: readonly AclEntry[] = [
  {kind: 'registration', allowed: false},
  {kind: 'group', name: 'devs'},
  {kind: 'member', group: 'devs', username: 'dora'},
  user('ada', true),
  user('dora'),
  user('otto'),
  user('rita'),
  user('walt'),
  user('Zoë'),
  {kind: 'grant', project: 'ruled', principal: {user: 'rita'}, permissions: ['read']},
  {kind: 'grant', project: 'ruled', principal: {user: 'walt'}, permissions: ['write']},
  {kind: 'grant', project: 'shut', principal: {user: 'rita'}, permissions: []},
  {kind: 'grant', project: 'open', principal: {group: 'authenticated'}, permissions: ['write']},
  {kind: 'grant', project: 'open', principal: {group: 'everyone'}, permissions: ['read']},
  {kind: 'grant', project: 'ruled', principal: {group: 'devs'}, permissions: ['read', 'write']},
]
const settings = {
  'pypi.fallback': 'none',
  'pypi.default_read': 'authenticated',
  'pypi.default_write': 'devs',
  'storage.dir': '%(here)s/packages',
  'db.url': 'sqlite:///%(here)s/cache.db',
  'auth.rounds': '1000',
  'session.validate_key': 'key',
}
type Rights = '' | 'r' | 'w' | 'rw'
/** `free` has no rules. Somebody who is not logged in, by wrong credentials too, is a stranger. */
const table: Readonly<Record<string, Readonly<Record<'ruled' | 'shut' | 'open' | 'free', Rights>>>> = {
  stranger: {ruled: '', shut: '', open: 'r', free: ''},
  impostor: {ruled: '', shut: '', open: 'r', free: ''},
  otto: {ruled: '', shut: '', open: 'rw', free: 'r'},
  rita: {ruled: 'r', shut: '', open: 'rw', free: 'r'},
  walt: {ruled: 'w', shut: '', open: 'rw', free: 'r'},
  dora: {ruled: 'rw', shut: '', open: 'rw', free: 'rw'},
  ada: {ruled: 'rw', shut: 'rw', open: 'rw', free: 'rw'},
}
type Project = keyof (typeof table)[string]
const projects: readonly Project[] = ['ruled', 'shut', 'open', 'free']

for (const place of placeNames) {
  describe(`with users and rights in ${place}`, needs(...accessPlaces[place]), () => {
    let filled: FilledAccess
    let server: Installation
    const files = new Map<string, BuiltFile>()
    let guesses = 0
    /** Each from an address of its own: wrong passwords slow one down. */
    const ask = (
      method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
      url: string,
      headers: Record<string, string> = {},
    ) => {
      guesses += 1
      const remoteAddress = `10.1.${guesses >> 8}.${guesses & 255}`
      return server.app.inject({method, url, headers, remoteAddress})
    }
    const headersOf = (reader: string): Record<string, string> => {
      if (reader === 'stranger') return {}
      if (reader === 'impostor') return {authorization: basic('ada', 'ada')}
      return {authorization: basic(reader, passwordOf(reader))}
    }
    const isStranger = (reader: string) => reader === 'stranger' || reader === 'impostor'
    const upload = (url: string, reader: string, project: string, file: BuiltFile) => {
      const form = uploadForm(file, {name: project, version: file.filename.split('-')[1] ?? ''})
      return server.app.inject({
        ...{method: 'POST', url, payload: form.payload},
        headers: {...headersOf(reader), ...form.headers},
        remoteAddress: `10.2.0.${(guesses += 1) & 255}`,
      })
    }

    before(async () => {
      filled = await fillAccess(place, entries)
      const lines = Object.entries({...settings, ...filled.settings}).map(
        ([key, value]) => `${key} = ${value}`,
      )
      server = await install(`[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n${filled.lines}`)
      for (const project of projects) {
        const file = await buildWheel({name: project, version: '1.0'})
        files.set(project, file)
        const {statusCode, payload} = await upload('/simple/', 'ada', project, file)
        assert.equal(statusCode, 200, payload)
      }
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
      await filled[Symbol.asyncDispose]()
    })

    for (const [reader, rights] of Object.entries(table)) {
      const refused = isStranger(reader) ? 401 : 403
      it(`${reader} reads what ${reader} may read, and else gets ${refused}`, async () => {
        const lists = ['/simple/', '/packages/', '/api/package/']
        for (const project of projects) {
          const mayRead = rights[project].includes('r')
          const absent = isStranger(reader) ? 401 : 404
          const file = `/api/package/${project}/${files.get(project)!.filename}`
          for (const [url, status] of [
            [`/simple/${project}/`, absent],
            [`/pypi/${project.toUpperCase()}/json`, absent],
            [`/api/package/${project}/`, refused],
            [file, refused],
          ] as const) {
            for (const method of ['GET', 'HEAD'] as const) {
              const answer = await ask(method, url, headersOf(reader))
              assert.equal(answer.statusCode, mayRead ? 200 : status, `${method} ${url}`)
              assert.equal(answer.headers['www-authenticate'] !== undefined, answer.statusCode === 401)
            }
          }
          for (const url of lists) {
            const {payload} = await ask('GET', url, headersOf(reader))
            assert.equal(payload.includes(project), mayRead, `${project} in ${url}`)
          }
        }
      })
      it(`${reader} uploads and deletes what ${reader} may write, and else gets ${refused}`, async () => {
        for (const project of projects) {
          const mayWrite = rights[project].includes('w')
          const file = await buildWheel({name: project, version: `2.${Object.keys(table).indexOf(reader)}`})
          const url = `/api/package/${project}/${file.filename}`
          for (const target of ['/simple/', url]) {
            assert.equal(
              (await upload(target, reader, project, file)).statusCode,
              mayWrite ? 200 : refused,
              `${project} to ${target}`,
            )
          }
          const deleted = mayWrite ? url : `/api/package/${project}/${files.get(project)!.filename}`
          const answer = await ask('DELETE', deleted, headersOf(reader))
          assert.equal(answer.statusCode, mayWrite ? 200 : refused, `DELETE ${deleted}`)
        }
      })
      it(`${reader} is ${reader === 'ada' ? 'let in' : `answered ${refused}`} where only administrators may`, async () => {
        const {paths}: OpenApi = (await ask('GET', '/openapi.json')).json()
        let count = 0
        for (const [path, item] of Object.entries(paths)) {
          for (const [method, {description}] of Object.entries(item)) {
            if (description !== 'For administrators.') continue
            if (reader === 'ada' && method !== 'get') continue
            count += 1
            const url = path.replace(/\{\w+\}/g, 'name')
            const {statusCode} = await ask(method.toUpperCase() as 'GET', url, headersOf(reader))
            if (reader === 'ada') assert.ok(![401, 403].includes(statusCode), `${url}: ${statusCode}`)
            else assert.equal(statusCode, refused, `${method} ${url}`)
          }
        }
        assert.ok(count > 5)
      })
      it(`${reader} is ${isStranger(reader) ? 'answered 401' : 'let in'} where a login is needed`, async () => {
        for (const [method, url] of [
          ['GET', '/api/token'],
          ['POST', '/api/user/password?old_password=no&new_password=x'],
        ] as const) {
          const {statusCode} = await ask(method, url, headersOf(reader))
          assert.equal(statusCode === 401, isStranger(reader), `${url}: ${statusCode}`)
        }
      })
    }

    const secret = '/api/package/ruled/'
    const comesIn = async (headers: Record<string, string>): Promise<boolean> => {
      const {statusCode} = await ask('GET', secret, headers)
      assert.ok([200, 401].includes(statusCode), String(statusCode))
      return statusCode === 200
    }
    it('nobody gets in with a password that is almost right', async () => {
      const password = passwordOf('rita')
      assert.equal(await comesIn({authorization: basic('rita', password)}), true)
      for (const wrong of [
        ...['', ' ', '\0', `${password} `, ` ${password}`, `${password}\0`, `${password}\n`, `\0${password}`],
        ...[password.toUpperCase(), password.slice(0, -1), `${password}x`, `*`, 'rita', 'null', 'undefined'],
        ...[password.replace('i', 'ı'), password.replace('i', 'i\u0301'), 'x'.repeat(10_000), '🔑'],
      ]) {
        assert.equal(
          await comesIn({authorization: basic('rita', wrong)}),
          false,
          JSON.stringify(wrong.slice(0, 30)),
        )
      }
    })
    it('nobody gets in by a name that is almost that of a user', async () => {
      const names = [
        ...['', ' ', '\0', 'rita\0', '\0rita', 'rita\n', 'rita%', 'r%', '*', 'rit*', 'rita)(', '*)(uid=*'],
        ...[
          "rita'--",
          "' OR 1=1 --",
          '__proto__',
          'constructor',
          '..',
          '../rita',
          'everyone',
          'authenticated',
        ],
        ...[
          'admin',
          '__token__',
          'devs',
          'rıta',
          'ritá',
          'rita\u0301',
          'x'.repeat(10_000),
          'r\u200bita',
          '🔑',
        ],
        // a directory compares as its schema says, and logs in whoever is meant
        ...(place === 'ldap' ? [] : ['RITA', 'Rita', 'rita ', ' rita', 'ｒｉｔａ']),
      ]
      for (const name of names) {
        for (const password of [passwordOf('rita'), passwordOf(name), '']) {
          assert.equal(
            await comesIn({authorization: basic(name, password)}),
            false,
            JSON.stringify(name.slice(0, 30)),
          )
        }
      }
    })
    it('names are those of their very characters, however they are composed', async () => {
      const may = async (name: string, password: string) =>
        (await ask('GET', '/api/package/free/', {authorization: basic(name, password)})).statusCode === 200
      assert.equal(await may('Zoë', passwordOf('Zoë')), true)
      assert.equal(await may('Zoë', passwordOf('Zoë').normalize('NFD')), false)
      assert.equal(await may('Zoe', passwordOf('Zoë')), false)
      if (place === 'ldap') return
      for (const name of ['Zoë'.normalize('NFD'), 'zoë', 'ZOË']) {
        assert.equal(await may(name, passwordOf('Zoë')), false, name)
      }
    })
    it('nobody gets in by a header that says something else', async () => {
      const right = Buffer.from(`rita:${passwordOf('rita')}`)
      const encoded = right.toString('base64')
      assert.equal(await comesIn({authorization: `bAsIc ${encoded}`}), true)
      for (const authorization of [
        ...[
          'Basic',
          'Basic ',
          'Basic =',
          'Basic !!!',
          'Basic Og==',
          `Bearer ${encoded}`,
          `Digest ${encoded}`,
        ],
        ...[encoded, `Basic${encoded}`, `Basic ${right.toString('hex')}`, `Basic ${right.toString()}`],
        ...[`Basic ${Buffer.from('rita').toString('base64')}`, `Bearer rita:${passwordOf('rita')}`],
        `Basic ${Buffer.from(`rita:${passwordOf('rita')}`, 'utf16le').toString('base64')}`,
        `Basic ${Buffer.from([0xff, 0xfe, 0x3a, 0xff]).toString('base64')}`,
      ]) {
        assert.equal(await comesIn({authorization}), false, authorization)
      }
    })
    it('a session begins with the right password only, and has the rights of its user', async () => {
      const logIn = (username: string, password: string) => {
        guesses += 1
        return server.app.inject({
          ...{method: 'POST', url: '/login', remoteAddress: `10.3.0.${guesses & 255}`},
          headers: {'content-type': 'application/x-www-form-urlencoded'},
          payload: new URLSearchParams({username, password}).toString(),
        })
      }
      for (const password of ['', 'rita', `${passwordOf('rita')}\0`, 'x'.repeat(1_000_000)]) {
        const {statusCode, cookies} = await logIn('rita', password)
        assert.ok([400, 403, 413].includes(statusCode), String(statusCode))
        assert.deepEqual(cookies, [])
      }
      for (const [name, status] of [
        ['rita', 200],
        ['otto', 403],
      ] as const) {
        const [cookie] = (await logIn(name, passwordOf(name))).cookies
        assert.ok(cookie)
        const answer = await ask('GET', secret, {cookie: `${cookie.name}=${cookie.value}`})
        assert.equal(answer.statusCode, status, name)
      }
    })

    if (canWrite(place)) {
      it('whoever waits for approval, or is gone, is a stranger', async () => {
        const {access} = server.backends
        const [rita] = [await access.findAccount('rita')]
        await access.writer!.addAccount({
          ...{username: 'pat', admin: true, pending: true, passwordHash: rita!.passwordHash!},
        })
        assert.equal(await comesIn({authorization: basic('pat', passwordOf('rita'))}), false)
        await access.writer!.approve('pat')
        assert.equal(await comesIn({authorization: basic('pat', passwordOf('rita'))}), true)
        await access.writer!.deleteUser('pat')
        assert.equal(await comesIn({authorization: basic('pat', passwordOf('rita'))}), false)
      })
    }
  })
}
