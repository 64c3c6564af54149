import assert from 'node:assert/strict'
import {Readable} from 'node:stream'
import {after, describe, it} from 'node:test'
import {crc32} from 'node:zlib'
import type {Access} from '../../src/lib/access/access.js'
import type {StoredToken, TokenWriter} from '../../src/lib/access/api-tokens/api-token.js'
import {parseExpiry} from '../../src/lib/access/api-tokens/token-expiry.js'
import {digestOf, findTokenId, makeTokenText} from '../../src/lib/access/api-tokens/token-text.js'
import {TokenUses} from '../../src/lib/access/api-tokens/token-uses.js'
import {openConfigAccess} from '../../src/lib/access/config.js'
import {parseDump} from '../../src/lib/access/dump/dump.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {openRemoteAccess} from '../../src/lib/access/remote/remote.js'
import {createToken} from '../../src/lib/tasks/api-tokens.js'
import {explainToken} from '../../src/lib/tasks/explain-token.js'
import {startService} from '../services/index.js'
import {startAccessServer} from '../support/access-server.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'
import {openLdap} from './ldap-support.js'
import {addEntries, administer, organization, person} from './tree.js'

const directories: AsyncDisposable[] = []
after(async () => {
  for (const directory of directories) await directory[Symbol.asyncDispose]()
})
const tempPath = async (): Promise<string> => {
  const directory = await tempDir()
  directories.push(directory)
  return directory.path
}

describe('the text of an API token', () => {
  it('has a beginning, an id and a checksum that a scanner can verify', () => {
    const {text, id, sha256} = makeTokenText()
    assert.match(text, /^ppc_[0-9a-z]{10}[0-9A-Za-z]{40}$/)
    assert.equal(findTokenId(text), id)
    assert.equal(sha256, digestOf(text))
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    const checksum = Array.from(text.slice(-6)).reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0)
    assert.equal(checksum, crc32(text.slice(0, -6)))
  })
  it('is another one each time', () => {
    const texts = Array.from({length: 1000}, () => makeTokenText())
    assert.equal(new Set(texts.map(({id}) => id)).size, 1000)
    assert.equal(new Set(texts.map(({text}) => text.slice(14, -6))).size, 1000)
  })
  it('is told from everything else without asking anybody', () => {
    const {text} = makeTokenText()
    for (let place = 0; place < text.length; place++) {
      const other = text.charAt(place) === '0' ? '1' : '0'
      assert.equal(findTokenId(text.slice(0, place) + other + text.slice(place + 1)), undefined)
    }
    for (const wrong of ['', text.slice(1), `${text} `, ` ${text}`, `${text}\n`, 'ppc_', 'x'.repeat(1e6)]) {
      assert.equal(findTokenId(wrong), undefined)
    }
  })
})

describe('when an API token expires', () => {
  const now = Date.parse('2026-11-21T20:00:00.500Z')
  it('is said by a time from now, a date or a moment', () => {
    assert.equal(parseExpiry('90d', now), '2027-02-19T20:00:00Z')
    assert.equal(parseExpiry('12h', now), '2026-11-22T08:00:00Z')
    assert.equal(parseExpiry('2w', now), '2026-12-05T20:00:00Z')
    assert.equal(parseExpiry('2026-11-21', now), '2026-11-22T00:00:00Z') // it works on that day
    assert.equal(parseExpiry('2028-02-29T12:30:00Z', now), '2028-02-29T12:30:00Z')
    assert.equal(parseExpiry('never', now), null)
  })
  it('is neither past nor nonsense', () => {
    const wrong = [
      '',
      '90',
      'd',
      '-1d',
      '1y',
      '1.5d',
      '0d',
      '2026-11-20',
      '2027-02-29',
      '2027-13-01',
      '999999w',
    ]
    for (const text of [
      ...wrong,
      'tomorrow',
      '2027-01-01T00:00:00',
      '2026-11-21T20:00:00Z',
      'x'.repeat(1e5),
    ]) {
      assert.throws(() => parseExpiry(text, now), {code: 'PPC_INVALID_INPUT'}, text.slice(0, 30))
    }
  })
})

describe('uses of API tokens', () => {
  const token = {id: 'a', lastUsed: null} as StoredToken
  const open = (noteUses: TokenWriter['noteUses']) =>
    new TokenUses({noteUses, secondsBetweenUses: 300} as TokenWriter)

  it('are written once in a while, together', async () => {
    const written: string[][] = []
    const uses = open(map => Promise.resolve(void written.push([...map.keys()])))
    const now = Date.parse('2026-11-21T20:00:00Z')
    for (let index = 0; index < 100; index++) uses.note(token, now + index)
    uses.note({...token, id: 'b'}, now)
    uses.note({...token, id: 'just written by another', lastUsed: '2026-11-21T19:58:00Z'}, now)
    await uses.settled()
    uses.note(token, now + 299_000)
    await uses.settled()
    uses.note(token, now + 301_000)
    await uses.settled()
    assert.deepEqual(written, [['a', 'b'], ['a']])
  })
  it('are given up where they can not be written, without a failure', async () => {
    let tries = 0
    const uses = open(() => {
      tries += 1
      return Promise.reject(new Error('read-only'))
    })
    for (let index = 0; index < 10; index++) {
      uses.note(token, Date.now())
      await uses.settled()
    }
    assert.equal(tries, 1)
  })
})

describe('API tokens of users that are not kept here', () => {
  const closing: AsyncDisposable[] = []
  after(async () => {
    for (const each of closing.reverse()) await each[Symbol.asyncDispose]()
  })
  /** Makes a token and gives its line to the next opener of the same backend. */
  const giveToken = async (access: Access, owner: string) => {
    const {text, configLine = ''} = await createToken(access, {owner, scopes: ['read', 'upload']})
    const [key = '', value = ''] = configLine.split(/ = (.*)/s)
    return {text, settings: {[key]: value}}
  }

  it('are lines of the config with a server that decides', async () => {
    const server = await startAccessServer([
      {kind: 'user', username: 'sam', admin: false, passwordHash: 'x'},
      {kind: 'group', name: 'crew'},
      {kind: 'member', group: 'crew', username: 'sam'},
    ])
    closing.push(server)
    const open = async (more: Record<string, string> = {}) => {
      const settings = {'storage.dir': 'x', 'db.url': 'sqlite://', 'pypi.auth': 'remote', ...more}
      const config = await configWith(await tempPath(), {'auth.backend_server': server.url, ...settings})
      const access = await openRemoteAccess(config)
      closing.push(access)
      return {access, policy: new AccessPolicy(access, config)}
    }
    const {access} = await open()
    const {text, settings} = await giveToken(access, 'sam')
    const {policy} = await open(settings)
    const identity = await policy.authenticateToken(text)
    assert.deepEqual([identity?.username, identity?.groups, identity?.admin], ['sam', ['crew'], false])
    server.entries = []
    const {policy: later} = await open(settings)
    assert.equal(await later.authenticateToken(text), undefined)
  })
  it('are lines of the config with a directory, and end with its users', needs('slapd'), async () => {
    const slapd = await startService('slapd')
    closing.push(slapd)
    const people = `ou=people,${slapd.suffix}`
    const ada = person(`uid=ada,${people}`, {uid: 'ada', userPassword: 'x'})
    await addEntries(slapd, [organization(people), ada])
    const settings = {
      'auth.ldap.url': slapd.url,
      'auth.ldap.user_dn_format': `uid={username},${people}`,
      'auth.ldap.cache_time': '0',
    }
    const first = await openLdap(settings)
    closing.push(first)
    const {text, settings: line} = await giveToken(first.access, 'ada')
    await assert.rejects(giveToken(first.access, 'nobody'), {code: 'PPC_NOT_FOUND'})
    const second = await openLdap({...settings, ...line})
    closing.push(second)
    assert.equal((await second.policy.authenticateToken(text))?.username, 'ada')
    assert.equal((await second.access.tokens?.list('ada'))?.length, 1)
    await administer(slapd, client => client.del(ada[0]))
    assert.equal(await second.policy.authenticateToken(text), undefined)
  })
})

describe('API tokens in a dump', () => {
  const base = '{"allow_register": false, "groups": {}, "users": [], "packages": {"users": {}, "groups": {}}'
  const good = {
    ...{id: 'aaaaaaaaaa', owner: 'bob', sha256: '0'.repeat(64), name: '', scopes: 'read', projects: ''},
    ...{created: '2026-01-01T00:00:00Z', expires: null},
  }
  const parse = async (tokens: unknown) => {
    const notices: string[] = []
    const entries = []
    const text = `${base}, "ppc_tokens": ${JSON.stringify(tokens)}}`
    const onNotice = (notice: string) => notices.push(notice)
    for await (const entry of parseDump(Readable.from([Buffer.from(text)]), {onNotice})) entries.push(entry)
    return {entries: entries.filter(({kind}) => kind === 'token'), notices}
  }
  it('are read, and what nobody knows of them is said', async () => {
    const {entries, notices} = await parse([{...good, colour: 'red'}])
    assert.deepEqual(entries, [{kind: 'token', ...good, scopes: ['read'], projects: []}])
    assert.equal(notices.length, 1)
  })
  for (const [field, value] of [
    ['id', '../../x'],
    ['id', null],
    ['owner', ''],
    ['sha256', 'ab'],
    ['scopes', ''],
    ['scopes', 'read write'],
    ['scopes', ['read']],
    ['projects', 'a/b'],
    ['created', 'yesterday'],
    ['expires', 'never'],
    ['expires', 1],
    ['name', 'a=b'],
  ] as const) {
    it(`are refused with ${field} = ${JSON.stringify(value)}, and where it stands is said`, async () => {
      await assert.rejects(parse([{...good, [field]: value}]), {
        code: 'PPC_INVALID_INPUT',
        message: /at \.ppc_tokens\[0\] \(byte \d+\)/,
      })
    })
  }
})

describe('an explanation of what an API token may', () => {
  it('is that of its owner, narrowed down', async () => {
    const token = (words: string) =>
      `${words} created=2026-01-01T00:00:00Z sha256=${'0'.repeat(64)} owner=bob`
    const config = await configWith(await tempPath(), {
      ...{'storage.dir': 'x', 'db.url': 'sqlite://', 'user.bob': 'x', 'pypi.default_write': 'authenticated'},
      'token.aaaaaaaaaa': token('scopes=upload projects=acme-*'),
      'token.bbbbbbbbbb': token('scopes=read expires=2026-01-02T00:00:00Z'),
    })
    const access = await openConfigAccess(config)
    const explain = async (id: string, project: string) => {
      const {facts, verdicts} = await explainToken(access, config, id, project)
      const lines = verdicts.map(
        ({right, allowed, because}) => `${right} ${allowed ? 'yes' : 'no'}: ${because.join()}`,
      )
      return [facts[0], ...lines]
    }
    assert.deepEqual(await explain('aaaaaaaaaa', 'Acme_X'), [
      'the API token aaaaaaaaaa acts for bob on acme-*, to upload, for ever',
      'read no: the token lacks the scope read',
      'write yes: pypi.default_write gives it to all who are logged in',
      'overwrite no: pypi.allow_overwrite gives it to nobody',
      'delete no: the token lacks the scope delete',
    ])
    assert.equal((await explain('aaaaaaaaaa', 'other'))[2], 'write no: the token is not for other')
    assert.equal((await explain('bbbbbbbbbb', 'other'))[1], 'read no: the token has expired')
    await assert.rejects(explainToken(access, config, 'cccccccccc', 'x'), {code: 'PPC_NOT_FOUND'})
  })
})
