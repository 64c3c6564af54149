import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {once} from 'node:events'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {connect} from 'node:net'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {freePort} from '../support/free-port.js'
import {startServer, type LiveServer} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {
  copyConfig,
  editConfig,
  makeOriginalConfig,
  originalHashes,
  runOriginal,
  startOriginal,
} from '../support/original.js'
import {attestationOf} from '../support/attestations.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {buildSdist, buildWheel, writeBuilt, type BuiltFile} from '../support/wheels.js'
import {tool} from '../commands/tool.js'

const password = 'pa ss:w%20rd' // twine sends ASCII only as others read it
const schemes = ['sha512_crypt', 'sha256_crypt', 'pbkdf2_sha512', 'pbkdf2_sha256', 'bcrypt', 'argon2']

interface FileEntry {
  readonly filename: string
  readonly version: string
  readonly summary: string | null
  readonly last_modified: number
  readonly metadata: Readonly<Record<string, unknown>>
}
type Files = Record<string, FileEntry & {readonly sha256: string}>
interface Dump {
  allow_register: boolean
  version: string
  groups: Record<string, string[]>
  users: {username: string; admin: boolean; password: string}[]
  packages: Record<'users' | 'groups', Record<string, Record<string, string[]>>>
  pending_users: {username: string; password: string}[]
}

const basic = (user: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

/** A request by `user`, whose answer must be `status`. */
async function ask(
  url: string,
  user: string | undefined,
  init: RequestInit & {json?: unknown; status?: number} = {},
): Promise<Response> {
  const {json, status = 200, ...rest} = init
  const answer = await fetch(url, {
    redirect: 'manual',
    ...rest,
    headers: {
      ...(user === undefined ? {} : basic(user)),
      ...(json === undefined ? {} : {'content-type': 'application/json'}),
    },
    ...(json === undefined ? {} : {body: JSON.stringify(json)}),
  })
  if (answer.status !== status) assert.fail(`${url}: ${answer.status}\n${await answer.text()}`)
  return answer
}

async function upload(url: string, user: string, {filename, bytes}: BuiltFile, fields: object = {}) {
  const form = new FormData()
  form.set(':action', 'file_upload')
  for (const [key, value] of Object.entries(fields)) form.set(key, String(value))
  form.set('content', new Blob([new Uint8Array(bytes)]), filename)
  await ask(`${url}/simple/`, user, {method: 'POST', body: form})
}

async function twine(cwd: string, url: string, user: string, files: string[]): Promise<void> {
  const where = ['--repository-url', `${url}/simple/`, '-u', user, '-p', password]
  const done = await runProgram(
    program('twine'),
    ['upload', '--non-interactive', '--disable-progress-bar', ...where, ...files],
    {cwd},
  )
  assert.equal(done.code, 0, done.stdout + done.stderr)
}

/** Everything that an administrator sees of the files: pages, descriptions, and the bytes of each. */
async function filesOf(url: string, isWanted = (name: string) => !name.startsWith('bulk-')) {
  const listed = (await (await ask(`${url}/api/package/`, 'root')).json()) as {packages: string[]}
  const simple = await (await ask(`${url}/simple/`, 'root')).text()
  assert.deepEqual(
    Array.from(simple.matchAll(/<a [^>]*>([^<]+)<\/a>/g), match => match[1]),
    listed.packages,
  )
  const projects: Record<string, Files> = {}
  for (const name of listed.packages.filter(isWanted)) {
    const {packages} = (await (await ask(`${url}/api/package/${name}/`, 'root')).json()) as {
      packages: FileEntry[]
    }
    const page = await (await ask(`${url}/simple/${name}/`, 'root')).text()
    const links = Array.from(page.matchAll(/href="([^"#]+)(?:#sha256=([0-9a-f]+))?"[^>]*>([^<]+)</g))
    const files: Files = {}
    for (const {filename, version, summary, last_modified, metadata} of packages) {
      const link = links.find(match => match[3] === filename)
      assert.ok(link?.[1], `${filename} is not on the page of ${name}`)
      const href = new URL(link[1].replaceAll('&#43;', '+'), `${url}/simple/${name}/`)
      const bytes = Buffer.from(await (await ask(href.href, 'root')).arrayBuffer())
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      assert.equal(link[2] ?? sha256, sha256, filename)
      assert.equal(metadata['hash_sha256'] ?? sha256, sha256, filename)
      files[filename] = {filename, version, summary, last_modified, metadata, sha256}
    }
    assert.equal(links.length, packages.length, page)
    projects[name] = files
  }
  return projects
}

/** Sorted where the original's order is that of a Python set. */
function sorted(dump: Dump): Dump {
  const byName = <T extends {username: string}>(users: T[]) =>
    [...users].sort((a, b) => (a.username < b.username ? -1 : 1))
  return {
    ...dump,
    groups: Object.fromEntries(Object.entries(dump.groups).map(([name, who]) => [name, [...who].sort()])),
    users: byName(dump.users),
    pending_users: byName(dump.pending_users),
  }
}

/** What pypicloud leaves out of a dump (DESIGN.md: "rules for everyone/authenticated lost in dumps"). */
function withoutSpecialGroups(dump: Dump): Dump {
  const groups = Object.entries(dump.packages.groups).flatMap(([project, rules]) => {
    const kept = Object.entries(rules).filter(([group]) => !['everyone', 'authenticated'].includes(group))
    return kept.length > 0 ? [[project, Object.fromEntries(kept)] as const] : []
  })
  return {...dump, packages: {...dump.packages, groups: Object.fromEntries(groups)}}
}

describe('an installation of pypicloud comes here and goes back', needs('pypicloud', 'twine', 'uv'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let port: number
  let file: string
  const theirs = () => startOriginal(file, port)
  const ours = async () => startServer(file, await freePort())
  const theirDump = async () => {
    const done = await runOriginal('ppc-export', [file], {cwd: temp.path})
    assert.equal(done.code, 0, done.stderr)
    return sorted(JSON.parse(done.stdout) as Dump)
  }
  const ourDump = async () => {
    const done = await tool(temp.path, ['ppc-export', file])
    assert.equal(done.code, 0, done.stderr)
    return sorted(JSON.parse(done.stdout) as Dump)
  }
  const write = (built: Promise<BuiltFile>) => writeBuilt(temp.join('dist'), built)

  before(async () => {
    temp = await tempDir()
    port = await freePort()
    file = temp.join('server.ini')
    await makeOriginalConfig('-t', file)
    await editConfig(file, port, {
      'pypi.auth': 'sql',
      'auth.db.url': 'sqlite:///%(here)s/access.sqlite',
      'auth.signing_key': 'only for this test',
      'pypi.allow_overwrite_groups': 'owners',
      'pypi.fallback': 'redirect',
      'pypi.fallback_base_url': 'http://127.0.0.1:9',
    })
    const hashes = await originalHashes(schemes, password)
    const users = schemes.map(name => ({username: name, password: hashes[name], admin: name === 'bcrypt'}))
    const dump = {users, groups: {}, packages: {users: {}, groups: {}}, allow_register: true}
    const imported = await runOriginal('ppc-import', [file], {cwd: temp.path, input: JSON.stringify(dump)})
    assert.equal(imported.code, 0, imported.stderr)
  })
  after(async () => temp[Symbol.asyncDispose]())

  let theirFiles: unknown
  it('pypicloud makes it: users, rules, and files of twine', async () => {
    await using server = await theirs()
    const {url} = server
    const admin = (path: string, method = 'PUT', json?: unknown) =>
      ask(`${url}/admin/${path}`, 'bcrypt', {method, ...(json === undefined ? {} : {json})})
    await admin('user/root', 'PUT', {password})
    await admin('user/root/admin', 'POST', {admin: true})
    await admin('user/jörg', 'PUT', {password})
    await admin('user/reader', 'PUT', {password})
    await ask(`${url}/api/user/waiting`, undefined, {method: 'PUT', json: {password}})
    for (const group of ['owners', 'readers', 'empty']) await admin(`group/${group}`)
    await admin('user/root/group/owners')
    await admin('user/jörg/group/readers')
    await admin('package/secret/group/readers/read')
    await admin('package/secret/user/argon2/read')
    await admin('package/secret/user/argon2/write')
    await admin('package/open/group/everyone/read')
    await admin('package/members/group/authenticated/read')
    const secret = {name: 'secret', summary: 'Ünïcode — \u{1f40d} "quoted"', requiresPython: '>=3.8,<4'}
    await twine(temp.path, url, 'root', [
      await write(buildWheel({...secret, version: '1.0'})),
      await write(buildSdist({...secret, version: '1.0'})),
      await write(buildWheel({name: 'secret', version: '2.0rc1'})),
      await write(buildWheel({name: 'Open.Name_d', version: '1!2.0+local.1'})),
      await write(buildSdist({name: 'open', version: '1.0'})),
      await write(buildWheel({name: 'members', version: '1.0'})),
    ])
    const odd = {name: 'Old_Thing', version: '2004d', summary: 'no metadata'}
    await upload(url, 'root', {filename: 'Old_Thing-2004d.tar.gz', bytes: Buffer.from('no archive')}, odd)
    await upload(url, 'root', {filename: 'raw-0.1.zip', bytes: Buffer.from('sent by a browser')})
    theirFiles = await filesOf(url)
  })

  it('everything of it is here, byte for byte, and everybody gets in', async () => {
    await using server = await ours()
    const {url} = server
    assert.deepEqual(await filesOf(url), theirFiles)
    for (const user of [...schemes, 'root', 'jörg']) await ask(`${url}/simple/open/`, user)
    const secret = `${url}/api/package/secret/secret-1.0-py3-none-any.whl`
    for (const user of ['argon2', 'jörg', 'bcrypt']) await ask(secret, user)
    for (const user of ['reader', 'sha512_crypt']) await ask(secret, user, {status: 403})
    for (const user of ['waiting', undefined]) await ask(secret, user, {status: 401})
    await ask(`${url}/simple/open/`, undefined)
    await ask(`${url}/simple/members/`, undefined, {status: 401})
    await ask(`${url}/simple/members/`, 'reader')
    assert.deepEqual(withoutSpecialGroups(await ourDump()), {...(await theirDump())})
  })

  it('what is written here, by twine, uv, tools and administrators, pypicloud lists and serves', async () => {
    let ourFiles: unknown
    {
      await using server = await ours()
      const {url} = server
      const admin = (path: string, method = 'PUT', json?: unknown) =>
        ask(`${url}/admin/${path}`, 'root', {method, ...(json === undefined ? {} : {json})})
      await twine(temp.path, url, 'root', [
        await write(buildWheel({name: 'secret', version: '3.0', summary: 'Schöne neue Welt \u{1f30d}'})),
        await write(buildSdist({name: 'New_Name.Here', version: '1!0.1.post1', requiresPython: '>=3.9'})),
        await write(buildWheel({name: 'only-here', version: '1.0'})),
        await write(buildWheel({name: 'only-here', version: '1.0', build: '7'})),
      ])
      const local = await write(buildWheel({name: 'New_Name.Here', version: '2.0+ubuntu.22'}))
      const published = await runProgram(
        program('uv'),
        ['publish', '--publish-url', `${url}/simple/`, '--username', 'root', '--password', password, local],
        {cwd: temp.path, env: {UV_CACHE_DIR: temp.join('uv-cache')}},
      )
      assert.equal(published.code, 0, published.stderr)
      await upload(url, 'root', await buildSdist({name: 'raw', version: '0.1', format: 'zip'})) // another than theirs
      await ask(`${url}/api/package/secret/secret-2.0rc1-py3-none-any.whl`, 'root', {method: 'DELETE'})
      await ask(`${url}/api/package/members/members-1.0-py3-none-any.whl`, 'root', {method: 'DELETE'})
      await admin('user/made here', 'PUT', {password})
      await admin('user/second', 'PUT', {password})
      await admin('user/second/admin', 'POST', {admin: true})
      await ask(`${url}/api/user/newcomer`, undefined, {method: 'PUT', json: {password}})
      await admin('group/made-here')
      await admin('user/made here/group/made-here')
      await admin('user/jörg', 'DELETE')
      await admin('group/empty', 'DELETE')
      await admin('package/new-name-here/group/made-here/read')
      await admin('package/new-name-here/user/second/write')
      await admin('package/only-here/group/everyone/read')
      await admin('package/raw/group/authenticated/read')
      await admin('package/secret/user/argon2/write', 'DELETE')
      await admin('register', 'POST', {allow: false})
      ourFiles = await filesOf(url)
    }
    const rebuilt = await tool(temp.path, ['ppc-rebuild-cache', file, '--json'])
    assert.equal(rebuilt.code, 0, rebuilt.stderr)
    const schemesHere = await Promise.all(
      schemes.map(async name => {
        const hash = await tool(temp.path, ['ppc-gen-password', '-i', '-s', name], {input: password})
        return {username: `here-${name}`, password: hash.stdout.trim(), admin: false}
      }),
    )
    const more = {users: schemesHere, groups: {}, packages: {users: {}, groups: {}}, allow_register: false}
    const imported = await tool(temp.path, ['ppc-import', file], {input: JSON.stringify(more)})
    assert.equal(imported.code, 0, imported.stderr)

    await using server = await theirs()
    const {url} = server
    assert.deepEqual(await filesOf(url), ourFiles)
    for (const user of [
      'root',
      'made here',
      'second',
      ...schemes,
      ...schemesHere.map(entry => entry.username),
    ]) {
      await ask(`${url}/simple/secret/`, user, {
        status: ['root', 'second', 'bcrypt', 'argon2'].includes(user) ? 200 : 302,
      })
    }
    for (const user of ['jörg', 'newcomer', undefined]) {
      await ask(`${url}/api/package/raw/raw-0.1.zip`, user, {status: 401})
    }
    await ask(`${url}/api/package/raw/raw-0.1.zip`, 'reader')
    const epoch = `${url}/api/package/new-name-here/new_name_here-1!0.1.post1.tar.gz`
    await ask(epoch, 'made here')
    await ask(epoch, 'reader', {status: 403})
    await ask(`${url}/simple/only-here/`, undefined)
    await ask(`${url}/admin/user`, 'second')
    await ask(`${url}/api/user/another`, undefined, {method: 'PUT', json: {password}, status: 403})
    const pending = (await (await ask(`${url}/admin/pending_users`, 'root')).json()) as string[]
    assert.deepEqual(pending.sort(), ['newcomer', 'waiting'])
    assert.deepEqual(withoutSpecialGroups(await ourDump()), await theirDump())
  })

  it("pypicloud's rebuild leaves ours alone, and meanwhile no name of ours is sent upstream", async () => {
    const packages = temp.join('packages')
    for (let n = 0; n < 400; n += 1) {
      const directory = join(packages, `bulk-${n % 40}`, `1.${n}`)
      await mkdir(directory, {recursive: true})
      await writeFile(join(directory, `bulk_${n % 40}-1.${n}.tar.gz`), `bulk ${n}`)
    }
    const killed = await ours()
    await interruptedUpload(killed, packages)
    await mkdir(join(packages, '.ppc-lock-0123456789abcdef.meta'))
    const rebuilt = await tool(temp.path, ['ppc-rebuild-cache', file, '--json'])
    assert.equal(rebuilt.code, 0, rebuilt.stderr)

    await using here = await ours()
    const attested = await buildWheel({name: 'only-here', version: '2.0'})
    const sha256 = createHash('sha256').update(attested.bytes).digest('hex')
    const attestations = JSON.stringify([attestationOf(attested.filename, sha256)])
    await upload(here.url, 'root', attested, {attestations})
    const yanked = await tool(temp.path, ['ppc', 'yank', file, 'only-here', '1.0', '--reason', 'too old'])
    assert.equal(yanked.code, 0, yanked.stderr)
    await using server = await theirs()
    const expected = await filesOf(here.url)
    const answers = new Map<string, Set<number>>()
    let over = false
    const pages = ['secret', 'only-here', 'members', 'bulk-7', 'unknown'].map(name => `simple/${name}/`)
    const watched = [...pages, 'api/package/secret/secret-1.0-py3-none-any.whl']
    const watch = async () => {
      while (!over) {
        for (const path of watched) {
          const {status} = await fetch(`${here.url}/${path}`, {headers: basic('root'), redirect: 'manual'})
          answers.set(path, (answers.get(path) ?? new Set()).add(status))
        }
      }
    }
    const watching = watch()
    await ask(`${server.url}/admin/rebuild`, 'root')
    await untilComplete(here)
    over = true
    await watching
    const allowed: Record<string, readonly number[]> = {
      'simple/members/': [404, 503], // sealed, which says nothing until the list is whole
      'simple/unknown/': [302, 503],
    }
    for (const [path, statuses] of answers) {
      for (const status of statuses)
        assert.ok((allowed[path] ?? [200, 503]).includes(status), `${path} ${status}`)
    }
    assert.deepEqual(await filesOf(server.url), expected)
    assert.deepEqual(await filesOf(here.url), expected)
    const page = await (await ask(`${here.url}/simple/only-here/`, 'root')).text()
    assert.equal(page.match(/ data-yanked="too old"/g)?.length, 2)
    const provenance = / data-provenance="([^"]+)"/.exec(page)?.[1] ?? ''
    const served = await ask(new URL(provenance, `${here.url}/simple/only-here/`).href, 'root')
    assert.ok((await served.text()).includes('"attestation_bundles"'))
  })

  it('dumps of each go into the other', async () => {
    const fresh = (name: string) =>
      copyConfig(file, temp.join(`${name}.ini`), {
        'auth.db.url': `sqlite:///%(here)s/${name}-access.sqlite`,
        'db.url': `sqlite:///%(here)s/${name}-cache.sqlite`,
      })
    const ofOurs = await ourDump()
    const exported = await tool(temp.path, ['ppc-export', file, '-o', temp.join('acl.json.gz')])
    assert.equal(exported.code, 0, exported.stderr)
    const theirs = await fresh('theirs')
    const there = await runOriginal('ppc-import', [theirs, '-i', temp.join('acl.json.gz')], {cwd: temp.path})
    assert.equal(there.code, 0, there.stderr)
    const back = await tool(temp.path, ['ppc-export', theirs])
    assert.deepEqual(sorted(JSON.parse(back.stdout) as Dump), ofOurs)
    const again = await tool(temp.path, ['ppc-import', theirs, '-i', temp.join('acl.json.gz'), '--json'])
    assert.equal(again.code, 0, again.stderr)

    const dump = await runOriginal('ppc-export', [theirs], {cwd: temp.path})
    const here = await fresh('here')
    const imported = await tool(temp.path, ['ppc-import', here], {input: dump.stdout})
    assert.equal(imported.code, 0, imported.stderr)
    const read = await runOriginal('ppc-export', [here], {cwd: temp.path})
    assert.equal(read.code, 0, read.stderr)
    assert.deepEqual(sorted(JSON.parse(read.stdout) as Dump), sorted(JSON.parse(dump.stdout) as Dump))
  })

  it('what either migrates, the other serves', async () => {
    const target = (name: string) =>
      copyConfig(file, temp.join(`${name}.ini`), {
        'storage.dir': `%(here)s/${name}-packages`,
        'db.url': `sqlite:///%(here)s/${name}-cache.sqlite`,
      })
    const [byUs, byThem] = [await target('by-us'), await target('by-them')]
    const migrated = await tool(temp.path, ['ppc-migrate', file, byUs])
    assert.equal(migrated.code, 0, migrated.stderr)
    const original = await runOriginal('ppc-migrate', [byUs, byThem], {cwd: temp.path})
    assert.equal(original.code, 0, original.stderr)
    await using source = await ours()
    const expected = await filesOf(source.url)
    await using there = await startOriginal(byUs, port)
    const found = await filesOf(there.url)
    assert.deepEqual(withoutTimes(found), withoutTimes(expected))
    // of an upload the list has the moment before the file was written, which may be seconds later
    for (const [name, files] of Object.entries(found))
      for (const [filename, {last_modified: time}] of Object.entries(files))
        assert.ok(Math.abs(time - (expected[name]?.[filename]?.last_modified ?? 0)) < 60, filename)
    await using here = await startServer(byThem, await freePort())
    await untilComplete(here)
    assert.deepEqual(withoutTimes(await filesOf(here.url)), withoutTimes(expected))
  })

  it('a change by either shows in the other at once', async () => {
    await using here = await ours()
    await using there = await theirs()
    const admin = (url: string, path: string, method = 'PUT') =>
      ask(`${url}/admin/${path}`, 'root', {method, ...(path.startsWith('user/') ? {json: {password}} : {})})
    const isShared = (name: string) => name === 'shared'
    const bytesOf = async (url: string, path: string) =>
      Buffer.from(await (await ask(`${url}/api/package/${path}`, 'root')).arrayBuffer())
    for (const [mine, other] of [
      [there.url, here.url],
      [here.url, there.url],
    ] as const) {
      const versions = ['first', 'second'].map(summary =>
        buildSdist({name: 'shared', version: '1.0', summary}),
      )
      const fields = {name: 'shared', version: '1.0'}
      for (const built of versions) {
        await upload(mine, 'root', await built, fields)
        assert.deepEqual(await bytesOf(other, 'shared/shared-1.0.tar.gz'), (await built).bytes)
        assert.deepEqual(await filesOf(other, isShared), await filesOf(mine, isShared))
      }
      // a row of pypicloud has no size until it was looked up
      const size = (await versions[1])?.bytes.length
      await waitFor('the size shows', async () => {
        const accept = 'application/vnd.pypi.simple.v1+json'
        const json = await fetch(`${here.url}/simple/shared/`, {headers: {...basic('root'), accept}})
        return ((await json.json()) as {files: {size: number}[]}).files[0]?.size === size
      })

      await admin(mine, 'user/guest')
      await admin(mine, 'package/secret/user/guest/read')
      await ask(`${other}/api/package/secret/`, 'guest')
      await admin(mine, 'package/secret/user/guest/read', 'DELETE')
      await ask(`${other}/api/package/secret/`, 'guest', {status: 403})
      await admin(mine, 'package/secret/user/guest/write')
      await admin(mine, 'user/guest', 'DELETE')
      await ask(`${other}/api/package/secret/`, 'guest', {status: 401})
      // a new user of that name has no rights of the old one, which pypicloud leaves behind
      await admin(here.url, 'user/guest')
      await ask(`${other}/api/package/secret/shared-2.0.tar.gz`, 'guest', {method: 'DELETE', status: 403})
      await admin(here.url, 'user/guest', 'DELETE')

      await ask(`${mine}/admin/register`, 'root', {method: 'POST', json: {allow: true}})
      await ask(`${other}/api/user/newbie`, undefined, {method: 'PUT', json: {password}})
      await ask(`${mine}/api/package/raw/`, 'newbie', {status: 401})
      await ask(`${mine}/admin/user/newbie/approve`, 'root', {method: 'POST'})
      await ask(`${other}/api/package/raw/`, 'newbie')
      await ask(`${mine}/admin/user/newbie/group/readers`, 'root', {method: 'PUT'})
      await ask(`${other}/api/package/secret/`, 'newbie')
      await ask(`${mine}/admin/group/readers`, 'root', {method: 'DELETE'})
      await ask(`${other}/api/package/secret/`, 'newbie', {status: 403})
      await ask(`${mine}/admin/group/readers`, 'root', {method: 'PUT'})
      await ask(`${mine}/admin/user/newbie/admin`, 'root', {method: 'POST', json: {admin: true}})
      await ask(`${other}/admin/user`, 'newbie')
      const change = {old_password: password, new_password: 'another'}
      await ask(`${mine}/api/user/password`, 'newbie', {method: 'POST', json: change})
      await ask(`${other}/api/package/raw/`, 'newbie', {status: 401})
      await ask(`${other}/admin/user/newbie`, 'root', {method: 'DELETE'})

      await ask(`${mine}/api/package/shared/shared-1.0.tar.gz`, 'root', {method: 'DELETE'})
      await ask(`${other}/api/package/shared/shared-1.0.tar.gz`, 'root', {status: 404})
      assert.deepEqual(await filesOf(other, isShared), await filesOf(mine, isShared))
    }
  })

  it('both work on the same files and databases at once', async () => {
    await using here = await ours()
    await using there = await theirs()
    const both = [here.url, there.url]
    await ask(`${there.url}/simple/open/`, 'root') // its first log-ins at once fail inside passlib
    const answers = new Map<string, number>()
    const worker = async (number: number) => {
      const mine = both[number % 2] ?? ''
      const other = both[(number + 1) % 2] ?? ''
      const note = async (what: string, answer: Response) => {
        const key = `${number % 2 === 0 ? 'ours' : 'theirs'} ${what} ${answer.status}`
        answers.set(key, (answers.get(key) ?? 0) + 1)
        const body = await answer.text()
        if (answer.status >= 500) assert.fail(`${key}\n${body}\n${there.log().slice(-3000)}`)
      }
      for (let round = 0; round < 4; round += 1) {
        const name = `load-${number}`
        const wheel = await buildWheel({name, version: `1.${round}`})
        const form = new FormData()
        form.set(':action', 'file_upload')
        form.set('name', name)
        form.set('version', `1.${round}`)
        form.set('content', new Blob([new Uint8Array(wheel.bytes)]), wheel.filename)
        await note(
          'upload',
          await fetch(`${mine}/simple/`, {method: 'POST', headers: basic('root'), body: form}),
        )
        const path = `api/package/${name}/${wheel.filename}`
        await note('download', await fetch(`${other}/${path}`, {headers: basic('root')}))
        await note(
          'user',
          await fetch(`${mine}/admin/user/load-${number}-${round}`, {
            method: 'PUT',
            headers: {...basic('root'), 'content-type': 'application/json'},
            body: JSON.stringify({password}),
          }),
        )
        await note(
          'rule',
          await fetch(`${other}/admin/package/${name}/user/load-${number}-${round}/read`, {
            method: 'PUT',
            headers: basic('root'),
          }),
        )
        await note('page', await fetch(`${other}/simple/${name}/`, {headers: basic('root')}))
        if (round % 3 === 2) {
          await note('delete', await fetch(`${other}/${path}`, {method: 'DELETE', headers: basic('root')}))
        }
      }
    }
    await Promise.all(Array.from({length: 4}, (_, number) => worker(number)))
    const isLoad = (name: string) => name.startsWith('load-')
    assert.deepEqual(await filesOf(here.url, isLoad), await filesOf(there.url, isLoad))
    assert.deepEqual(withoutSpecialGroups(await ourDump()), await theirDump())
  })
})

/** Of migrated files pypicloud forgets when they were published. */
function withoutTimes(projects: Record<string, Files>) {
  return Object.fromEntries(
    Object.entries(projects).map(([name, files]) => [
      name,
      Object.fromEntries(
        Object.entries(files).map(([filename, file]) => [filename, {...file, last_modified: 0}]),
      ),
    ]),
  )
}

/** Before that, projects that are not listed are 503. */
const untilComplete = ({url}: LiveServer) =>
  waitFor('unknown projects are redirected', async () => {
    return (await fetch(`${url}/simple/unknown/`, {redirect: 'manual'})).status === 302
  })

/** Half a body, and then the power goes. What came of it is left behind among the packages. */
async function interruptedUpload({url, process: server}: LiveServer, packages: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const head = [
    'POST /simple/ HTTP/1.1',
    'Host: localhost',
    `Authorization: ${basic('root')['authorization'] ?? ''}`,
    'Content-Type: multipart/form-data; boundary=b',
    'Content-Length: 1000000',
    '',
    '--b',
    'Content-Disposition: form-data; name="content"; filename="half-1.0.tar.gz"',
    '',
    'x'.repeat(300_000), // more than is kept in memory
  ]
  socket.on('error', () => undefined)
  socket.write(head.join('\r\n'))
  try {
    await waitFor('the half is on the disk', async () =>
      (await readdir(packages)).some(name => name.startsWith('ppc-upload-')),
    )
  } finally {
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
    socket.destroy()
  }
}
