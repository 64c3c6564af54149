import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, beforeEach, describe, it} from 'node:test'
import type {Access, AclEntry} from '../../src/lib/access/access.js'
import {anonymous} from '../../src/lib/access/identity.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {openRemoteAccess} from '../../src/lib/access/remote/remote.js'
import {describeAccess} from '../contracts/access.js'
import {startAccessServer, type AccessServer} from '../support/access-server.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'

const directory = await tempDir()
after(() => directory[Symbol.asyncDispose]())
const configOf = (url: string, more: Record<string, string> = {}) =>
  configWith(directory.path, {
    'storage.dir': 'x',
    'db.url': 'sqlite://',
    'pypi.auth': 'remote',
    'pypi.default_read': 'authenticated',
    'auth.backend_server': url,
    'auth.user': 'backend-user',
    'auth.password': 'backend-pw',
    ...more,
  })

const servers: AccessServer[] = []
after(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
})
describeAccess(
  'remote',
  async entries => {
    const server = await startAccessServer(entries)
    servers.push(server)
    const access = await openRemoteAccess(await configOf(server.url, {'auth.cache_time': '600'}))
    // the server keeps hashes to itself
    const hashOf = (username: string): string | null => {
      const entry = entries.find(one => one.kind === 'user' && one.username === username)
      return entry?.kind === 'user' ? entry.passwordHash : null
    }
    const {findAccount, exportEntries} = access
    access.findAccount = async username => {
      const account = await findAccount.call(access, username)
      return account && {...account, passwordHash: hashOf(username) ?? ''}
    }
    access.exportEntries = async function* () {
      for await (const entry of exportEntries.call(access)) {
        yield entry.kind === 'user' ? {...entry, passwordHash: hashOf(entry.username)} : entry
      }
    }
    return access
  },
  {'lists the projects that have rules, normalised': 'the protocol has no such question'},
)

const user = (username: string, admin = false): AclEntry => ({
  kind: 'user',
  username,
  admin,
  passwordHash: null,
})
const entries: readonly AclEntry[] = [
  {kind: 'registration', allowed: false},
  {kind: 'group', name: 'crew'},
  {kind: 'member', group: 'crew', username: 'sam'},
  user('ruth', true),
  user('sam'),
  user('ünï + &=?#'),
  {kind: 'grant', project: 'open-lib', principal: {user: 'sam'}, permissions: ['read']},
  {kind: 'grant', project: 'open-lib', principal: {group: 'everyone'}, permissions: ['read']},
  {kind: 'grant', project: 'secret-lib', principal: {group: 'crew'}, permissions: ['read', 'write']},
]

describe('a server that decides', () => {
  let server: AccessServer
  let access: Access
  let policy: AccessPolicy
  before(async () => {
    server = await startAccessServer(entries)
  })
  beforeEach(async () => {
    server.fault = undefined
    server.entries = entries
    const config = await configOf(server.url, {'auth.timeout': '1'})
    access = await openRemoteAccess(config)
    policy = new AccessPolicy(access, config)
    server.requests.length = 0
  })
  after(() => server[Symbol.asyncDispose]())

  it('lets its users in by their passwords, and nobody else', async () => {
    assert.deepEqual(await policy.authenticate('sam', 'sam-pw'), {
      username: 'sam',
      admin: false,
      groups: ['crew'],
    })
    assert.equal((await policy.authenticate('ruth', 'ruth-pw'))?.admin, true)
    assert.ok(await policy.authenticate('ünï + &=?#', 'ünï + &=?#-pw'))
    for (const [username, password] of [
      ['sam', 'no'],
      ['sam', ''],
      ['ghost', 'ghost-pw'],
      ['', '-pw'],
      ['sam&username=ruth', 'sam-pw'],
    ] as const) {
      assert.equal(await policy.authenticate(username, password), undefined, username)
    }
  })
  it('never hears of an empty password, which a directory behind it might take', async () => {
    assert.equal(await access.verifyPassword?.('sam', ''), false)
    assert.deepEqual(server.requests, [])
  })
  it('decides who may do what, also in lists', async () => {
    const sam = await policy.identify('sam')
    assert.ok(sam)
    const projects = ['open-lib', 'other', 'secret-lib']
    assert.deepEqual(await policy.visibleProjects(sam, projects), projects)
    assert.deepEqual(await policy.visibleProjects(anonymous, projects), ['open-lib'])
    assert.equal(await policy.can(sam, 'Secret_Lib', 'write'), true)
    assert.equal(await policy.can(sam, 'open-lib', 'write'), false)
  })
  it('is asked once for many requests, and its changes show within a second', async () => {
    for (let index = 0; index < 20; index++) {
      assert.ok(await policy.authenticate('sam', 'sam-pw'))
      await policy.can({username: 'sam', admin: false, groups: []}, 'secret-lib', 'read')
    }
    const verified = server.requests.filter(({path}) => path.startsWith('/verify'))
    assert.equal(verified.length, 1)
    server.entries = entries.filter(entry => entry.kind !== 'user')
    await new Promise(resolve => setTimeout(resolve, 1000))
    assert.equal(await policy.authenticate('sam', 'sam-pw'), undefined)
    assert.equal(await policy.identify('sam'), undefined)
  })
  it('is asked again when it has closed the connection that was kept open', async () => {
    const used = new WeakSet<object>()
    server.fault = ({socket}, answer) => {
      if (used.has(socket)) socket.destroy()
      else answer.end('true')
      used.add(socket)
    }
    for (let time = 0; time < 3; time += 1)
      assert.equal(await access.verifyPassword?.('sam', `${time}`), true)
    assert.equal(server.requests.length, 5)
  })
  it('gets the credentials of the config with every question', async () => {
    await policy.authenticate('sam', 'sam-pw')
    assert.ok(server.requests.length >= 4)
    for (const {authorization} of server.requests) {
      assert.equal(authorization, `Basic ${Buffer.from('backend-user:backend-pw').toString('base64')}`)
    }
  })
  it('is asked at the paths of the config', async () => {
    const config = await configOf(`${server.url}/base`, {
      'auth.uri.verify': '/check',
      'auth.uri.user_permissions': '/rights?of=users',
      'auth.uri.group_permissions': '/rights?of=groups',
    })
    server.fault = (_, answer) => answer.end('{}')
    await using other = await openRemoteAccess(config)
    server.fault = (_, answer) => answer.end('true')
    assert.equal(await other.verifyPassword?.('sam', 'x y'), true)
    assert.deepEqual(
      server.requests.map(({path}) => path),
      [
        '/base/rights?of=users&package=ppc-toolkit',
        '/base/rights?of=groups&package=ppc-toolkit',
        '/base/check?username=sam&password=x+y',
      ],
    )
  })
  it('exports what it lists: passwords stay with it', async () => {
    const exported: AclEntry[] = []
    for await (const entry of access.exportEntries()) exported.push(entry)
    assert.deepEqual(exported, entries)
  })

  it('need not know who exists: then it lets in whom it verifies', async () => {
    await using other = await startAccessServer(entries)
    const config = await configOf(other.url, {'auth.uri.user_data': '/nowhere'})
    await using unknowing = await openRemoteAccess(config)
    const decider = new AccessPolicy(unknowing, config)
    assert.equal((await decider.authenticate('sam', 'sam-pw'))?.username, 'sam')
    assert.equal(await decider.authenticate('ghost', 'ghost-pw'), undefined)
  })

  describe('that fails', () => {
    const lets = async (message: RegExp, code = 'PPC_UNAVAILABLE') => {
      await assert.rejects(
        async () => policy.authenticate('sam', 'sam-pw'),
        error => {
          assert.ok(error instanceof Error)
          assert.equal((error as Error & {code?: string}).code, code)
          assert.equal((error as Error & {statusCode?: number}).statusCode, 503)
          assert.match(error.message, message)
          assert.match(
            error.message,
            /server\.ini:\d+: auth\.backend_server: the access server at http:\/\/127/,
          )
          assert.doesNotMatch(error.message, /sam-pw|backend-pw|\n/)
          return true
        },
      )
      await assert.rejects(async () => policy.can(anonymous, 'open-lib', 'read'))
      await assert.rejects(async () => policy.visibleProjects(anonymous, ['open-lib']))
      await assert.rejects(access.check())
    }
    it('lets nobody in while it hangs', async () => {
      server.fault = () => undefined
      await lets(/did not answer within 1 s$/)
    })
    it('lets nobody in while it drips', async () => {
      server.fault = (_, answer) => {
        answer.write('tr')
        const timer = setInterval(() => answer.write(' '), 50)
        answer.on('close', () => clearInterval(timer))
      }
      await lets(/did not answer within 1 s$/)
    })
    it('lets nobody in when it breaks off in the middle', async () => {
      server.fault = (_, answer) => {
        answer.writeHead(200, {'Content-Length': '4'})
        answer.write('tru', () => answer.destroy())
      }
      await lets(/can't be reached now/)
    })
    for (const [title, text] of [
      ['garbage', '<html>'],
      ['nothing', ''],
      ['a text for a truth', '"true"'],
      ['a number for a truth', '1'],
    ] as const) {
      it(`lets nobody in by ${title}`, async () => {
        server.fault = (_, answer) => answer.end(text)
        await lets(/answers with something else than/, 'PPC_ACCESS_SERVER_FAILED')
      })
    }
    it('lets nobody in by an endless answer', async () => {
      server.fault = (_, answer) => {
        const chunk = Buffer.alloc(1_000_000, ' ')
        const write = () => {
          while (!answer.destroyed && answer.write(chunk));
        }
        answer.on('drain', write)
        write()
      }
      await assert.rejects(async () => policy.authenticate('sam', 'sam-pw'), {
        message: /answers with more than 32000000 bytes|did not answer within/,
      })
    })
    it('lets nobody in when it refuses us, or fails', async () => {
      server.fault = (_, answer) => answer.writeHead(401).end()
      await lets(/refuses auth\.user and auth\.password \(401\)$/, 'PPC_ACCESS_SERVER_FAILED')
      server.fault = (_, answer) => answer.writeHead(500).end('Traceback')
      await lets(/answers with 500$/, 'PPC_ACCESS_SERVER_FAILED')
    })
    it('gives no password to where it redirects to', async () => {
      await using other = await startAccessServer(entries)
      server.fault = ({url}, answer) => answer.writeHead(302, {Location: `${other.url}${url ?? ''}`}).end()
      await lets(
        /redirects to http:\/\/127\.0\.0\.1:\d+ \(302\), which is not followed/,
        'PPC_ACCESS_SERVER_FAILED',
      )
      assert.deepEqual(other.requests, [])
    })
  })

  it('is named with what is wrong when it is not there at all', async () => {
    const gone = await startAccessServer([])
    await gone[Symbol.asyncDispose]()
    await assert.rejects(openRemoteAccess(await configOf(gone.url)), {
      code: 'PPC_UNAVAILABLE',
      message: /can't be reached now \(ECONNREFUSED\)$/,
    })
    await assert.rejects(configOf('ftp://example'), {
      code: 'PPC_CONFIG',
      message: /auth\.backend_server: expected an address/,
    })
  })
})

describe('a server of pypicloud', () => {
  interface Call {
    request: string
    answer: unknown
  }
  it('hears the questions that pypicloud asked, and its answers decide the same', async () => {
    const recorded = JSON.parse(await readFile(join(fixtures, 'remote/calls.json'), 'utf8')) as Record<
      string,
      Call[]
    >
    const answers = new Map(
      Object.values(recorded)
        .flatMap(calls => (Array.isArray(calls) ? calls : []))
        .map(({request, answer}) => [request.replace('GET ', ''), answer]),
    )
    answers.set('/user_data?username=ruth', {username: 'ruth', admin: true, groups: []}) // what it never looked at
    await using server = await startAccessServer([])
    const unheard: string[] = []
    server.fault = ({url = ''}, answer) => {
      if (url.includes('ppc-toolkit')) return answer.end('{}')
      if (answers.has(url)) return answer.end(JSON.stringify(answers.get(url)))
      unheard.push(url)
      return answer.writeHead(404).end('null')
    }
    const config = await configOf(server.url)
    await using access = await openRemoteAccess(config)
    const policy = new AccessPolicy(access, config)
    const sam = await policy.authenticate('sam', 'sam-pw')
    assert.deepEqual(sam, {username: 'sam', admin: false, groups: ['crew']})
    assert.equal((await policy.authenticate('ruth', 'ruth-pw'))?.admin, true)
    assert.equal(await policy.authenticate('sam', 'no'), undefined)
    assert.equal(await policy.can(sam, 'secret-lib', 'write'), true)
    assert.equal(await policy.can(sam, 'adminonly', 'write'), false)
    assert.equal(await policy.can(anonymous, 'open-lib', 'read'), true)
    assert.deepEqual(await access.listMembers('crew'), ['sam'])
    assert.deepEqual(unheard, [])
  })
})
