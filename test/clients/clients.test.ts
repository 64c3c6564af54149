import assert from 'node:assert/strict'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {liveServer, testPassword, type LiveServer} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {buildSdist, buildWheel} from '../support/wheels.js'

type Temp = Awaited<ReturnType<typeof tempDir>>

/** A server with three releases of `Acme.Core_lib`, as wheels and sdists, readable by every user and by nobody else. */
describe('real clients against a live server', () => {
  let temp: Temp
  let server: LiveServer
  const dist = () => temp.join('dist')

  before(async () => {
    temp = await tempDir()
    await mkdir(dist())
    for (const version of ['1.0', '1.1', '2.0rc1']) {
      const wheel = await buildWheel({
        name: 'Acme.Core_lib',
        version,
        requiresPython: '>=3.8',
        summary: 'Äcme',
      })
      await writeFile(join(dist(), wheel.filename), wheel.bytes)
    }
    const sdist = await buildSdist({name: 'Acme.Core_lib', version: '1.1', requiresPython: '>=3.8'})
    await writeFile(join(dist(), sdist.filename), sdist.bytes)
    server = await liveServer(temp.path, {'pypi.allow_overwrite_groups': ''})
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  const files = async () => (await readdir(dist())).map(name => join(dist(), name))
  const twine = (name: string, user: string, password: string, ...rest: string[]) =>
    runProgram(
      program(name),
      [
        'upload',
        '--non-interactive',
        '--disable-progress-bar',
        '--repository-url',
        `${server.url}/simple/`,
        '-u',
        user,
        '-p',
        password,
        ...rest,
      ],
      {cwd: temp.path},
    )
  const install = async (...args: string[]) => {
    const target = temp.join(`site-${Math.random().toString(36).slice(2)}`)
    const done = await runProgram(
      program('pip'),
      ['install', '--no-input', '--no-deps', '--target', target, '--index-url', ...args],
      {cwd: temp.path},
    )
    return {...done, installed: await readdir(target).catch((): string[] => [])}
  }

  it('twine publishes wheels and sdists, and the same again changes nothing', needs('twine'), async () => {
    const first = await twine('twine', 'writer', testPassword, ...(await files()))
    assert.equal(first.code, 0, first.stdout + first.stderr)
    const again = await twine('twine', 'writer', testPassword, ...(await files()))
    assert.equal(again.code, 0, again.stdout + again.stderr)
  })

  it(
    'twine is told 403 without the right to write, and 401 with a wrong password',
    needs('twine'),
    async () => {
      const [file = ''] = await files()
      const reader = await twine('twine', 'reader', testPassword, file)
      assert.notEqual(reader.code, 0)
      assert.match(reader.stdout + reader.stderr, /403/)
      const wrong = await twine('twine', 'writer', 'wrong', file)
      assert.notEqual(wrong.code, 0)
      assert.match(wrong.stdout + wrong.stderr, /401/)
    },
  )

  it('twine is told that other bytes exist already', needs('twine'), async () => {
    const other = await buildWheel({name: 'Acme.Core_lib', version: '1.0', summary: 'other bytes'})
    await mkdir(temp.join('other'))
    const path = temp.join('other', other.filename)
    await writeFile(path, other.bytes)
    const refused = await twine('twine', 'writer', testPassword, path)
    assert.notEqual(refused.code, 0)
    assert.match(refused.stdout + refused.stderr, /409/)
    assert.match(refused.stdout + refused.stderr, /already exists/)
  })

  it('pip search finds it, and nothing that it may not see', needs('pip'), async () => {
    const search = (url: string) =>
      runProgram(program('pip'), ['search', '--no-input', '--index', `${url}/pypi`, 'core'], {cwd: temp.path})
    const found = await search(server.urlFor('reader'))
    assert.equal(found.code, 0, found.stdout + found.stderr)
    assert.match(found.stdout, /^acme-core-lib \(2\.0rc1\) +- Äcme/m)
    const nothing = await search(server.url)
    assert.doesNotMatch(nothing.stdout, /acme/)
  })

  it('twine 5 publishes, and skips what exists when asked to', needs('twine-5'), async () => {
    const mine = await buildWheel({name: 'acme-five', version: '1.0'})
    await mkdir(temp.join('five'))
    const path = temp.join('five', mine.filename)
    await writeFile(path, mine.bytes)
    const first = await twine('twine-5', 'writer', testPassword, path)
    assert.equal(first.code, 0, first.stdout + first.stderr)
    await writeFile(path, (await buildWheel({name: 'acme-five', version: '1.0', summary: 'changed'})).bytes)
    const skipped = await twine('twine-5', 'writer', testPassword, '--skip-existing', path)
    assert.equal(skipped.code, 0, skipped.stdout + skipped.stderr)
    assert.match(skipped.stdout, /Skipping/)
  })

  for (const name of ['acme-core-lib', 'Acme.Core_lib', 'ACME_CORE.LIB']) {
    it(`pip installs ${name} with the credentials in the URL`, needs('pip', 'twine'), async () => {
      const done = await install(`${server.urlFor('reader')}/simple/`, name)
      assert.equal(done.code, 0, done.stderr)
      assert.ok(done.installed.includes('acme_core_lib-1.1.dist-info'), done.installed.join())
    })
  }

  it('pip takes pre-releases and checks hashes when asked to', needs('pip', 'twine'), async () => {
    const pre = await install(`${server.urlFor('reader')}/simple/`, '--pre', 'acme-core-lib')
    assert.ok(pre.installed.includes('acme_core_lib-2.0rc1.dist-info'), pre.stderr)
    const wheel = await buildWheel({
      name: 'Acme.Core_lib',
      version: '1.0',
      requiresPython: '>=3.8',
      summary: 'Äcme',
    })
    const {createHash} = await import('node:crypto')
    const sha256 = createHash('sha256').update(wheel.bytes).digest('hex')
    await writeFile(temp.join('requirements.txt'), `acme-core-lib==1.0 --hash=sha256:${sha256}\n`)
    const pinned = await install(
      `${server.urlFor('reader')}/simple/`,
      '--require-hashes',
      '-r',
      temp.join('requirements.txt'),
    )
    assert.equal(pinned.code, 0, pinned.stderr)
  })

  it(
    'pip without credentials, and with a wrong password, installs nothing',
    needs('pip', 'twine'),
    async () => {
      const anonymous = await install(`${server.url}/simple/`, 'acme-core-lib')
      assert.notEqual(anonymous.code, 0)
      const wrong = await install(`${server.url.replace('//', '//reader:wrong@')}/simple/`, 'acme-core-lib')
      assert.notEqual(wrong.code, 0)
      assert.deepEqual(wrong.installed, [])
    },
  )

  it('pip 23.0 downloads wheel and sdist', needs('pip-23', 'twine'), async () => {
    const done = await runProgram(
      program('pip-23'),
      [
        'download',
        '--no-input',
        '--no-deps',
        '-d',
        temp.join('down'),
        '--index-url',
        `${server.urlFor('reader')}/simple/`,
        'acme-core-lib==1.1',
      ],
      {cwd: temp.path},
    )
    assert.equal(done.code, 0, done.stderr)
    const source = await runProgram(
      program('pip'),
      [
        'download',
        '--no-input',
        '--no-deps',
        '--no-build-isolation',
        '--no-binary',
        ':all:',
        '-d',
        temp.join('down'),
        '--index-url',
        `${server.urlFor('reader')}/simple/`,
        'acme-core-lib==1.1',
      ],
      {cwd: temp.path},
    )
    const downloaded = await readdir(temp.join('down'))
    assert.ok(
      downloaded.some(name => name.endsWith('.whl')),
      source.stderr,
    )
  })

  const uv = (...args: string[]) =>
    runProgram(program('uv'), args, {cwd: temp.path, env: {UV_CACHE_DIR: temp.join('uv-cache')}})

  it('uv publishes, and the same again is no error', needs('uv'), async () => {
    const wheel = await buildWheel({name: 'acme-uv', version: '1.0+local.1', summary: 'by uv'})
    await mkdir(temp.join('uv-dist'))
    const path = temp.join('uv-dist', wheel.filename)
    await writeFile(path, wheel.bytes)
    const publish = () =>
      uv(
        'publish',
        '--publish-url',
        `${server.url}/simple/`,
        '--username',
        'writer',
        '--password',
        testPassword,
        '--trusted-publishing',
        'never',
        path,
      )
    const first = await publish()
    assert.equal(first.code, 0, first.stderr)
    const again = await publish()
    assert.equal(again.code, 0, again.stderr)
    const checked = await uv(
      'publish',
      '--publish-url',
      `${server.url}/simple/`,
      '--check-url',
      `${server.urlFor('reader')}/simple/`,
      '--username',
      'writer',
      '--password',
      testPassword,
      '--trusted-publishing',
      'never',
      path,
    )
    assert.equal(checked.code, 0, checked.stderr)
  })

  it('uv installs, also as of a past and of a future date', needs('uv', 'twine'), async () => {
    const target = (name: string) => [
      '--target',
      temp.join(name),
      '--no-deps',
      '--default-index',
      `${server.urlFor('reader')}/simple/`,
    ]
    const done = await uv('pip', 'install', ...target('uv-site'), 'Acme.Core_lib')
    assert.equal(done.code, 0, done.stderr)
    assert.ok((await readdir(temp.join('uv-site'))).includes('acme_core_lib-1.1.dist-info'))
    const future = await uv(
      'pip',
      'install',
      '--exclude-newer',
      '2100-01-01',
      ...target('uv-future'),
      'acme-core-lib',
    )
    assert.equal(future.code, 0, future.stderr)
    const past = await uv(
      'pip',
      'install',
      '--exclude-newer',
      '2001-01-01',
      ...target('uv-past'),
      'acme-core-lib',
    )
    assert.notEqual(past.code, 0)
  })

  it('uv without credentials is asked for them', needs('uv', 'twine'), async () => {
    const done = await uv(
      'pip',
      'install',
      '--target',
      temp.join('uv-none'),
      '--default-index',
      `${server.url}/simple/`,
      'acme-core-lib',
    )
    assert.notEqual(done.code, 0)
    assert.match(done.stderr, /401|credentials|auth/i)
  })

  it('poetry publishes', needs('poetry'), async () => {
    const project = temp.join('poetry-project')
    await mkdir(join(project, 'dist'), {recursive: true})
    await writeFile(
      join(project, 'pyproject.toml'),
      '[project]\nname = "acme-poetry"\nversion = "1.0"\ndescription = "by poetry"\nauthors = [{name = "a", email = "a@example.com"}]\nrequires-python = ">=3.8"\n[tool.poetry]\npackages = []\n',
    )
    for (const built of [
      await buildWheel({name: 'acme-poetry', version: '1.0', summary: 'by poetry'}),
      await buildSdist({name: 'acme-poetry', version: '1.0'}),
    ]) {
      await writeFile(join(project, 'dist', built.filename), built.bytes)
    }
    const env = {
      POETRY_CONFIG_DIR: temp.join('poetry-config'),
      POETRY_CACHE_DIR: temp.join('poetry-cache'),
      POETRY_REPOSITORIES_OURS_URL: `${server.url}/simple/`,
      POETRY_VIRTUALENVS_CREATE: 'false',
    }
    const done = await runProgram(
      program('poetry'),
      ['publish', '--no-interaction', '-r', 'ours', '-u', 'writer', '-p', testPassword],
      {cwd: project, env},
    )
    assert.equal(done.code, 0, done.stdout + done.stderr)
    const listed = await fetch(`${server.url}/api/package/acme-poetry/`, {
      headers: {authorization: `Basic ${Buffer.from(`reader:${testPassword}`).toString('base64')}`},
    })
    const {packages} = (await listed.json()) as {packages: {filename: string}[]}
    assert.equal(packages.length, 2)
  })

  it('hatch publishes, and sees the next time what is there', needs('hatch'), async () => {
    const built = await buildWheel({name: 'acme-hatch', version: '1.0', summary: 'by hatch'})
    await writeFile(temp.join('hatch.toml'), '')
    await mkdir(temp.join('hatch-dist'))
    const path = temp.join('hatch-dist', built.filename)
    await writeFile(path, built.bytes)
    const publish = () =>
      runProgram(
        program('hatch'),
        [
          '--no-interactive',
          'publish',
          '--no-prompt',
          '-r',
          `${server.url}/simple/`,
          '-u',
          'writer',
          '-a',
          testPassword,
          path,
        ],
        {
          cwd: temp.path,
          env: {
            HATCH_CONFIG: temp.join('hatch.toml'),
            HATCH_DATA_DIR: temp.join('hatch-data'),
            HATCH_CACHE_DIR: temp.join('hatch-cache'),
          },
        },
      )
    const done = await publish()
    assert.equal(done.code, 0, done.stdout + done.stderr)
    const again = await publish()
    assert.equal(again.code, 0, again.stdout + again.stderr)
    assert.match(again.stdout + again.stderr, /already exists/)
  })

  it('no log line holds a password', () => {
    assert.ok(!server.log().includes(testPassword))
    assert.ok(!server.log().includes(Buffer.from(`writer:${testPassword}`).toString('base64')))
  })
})
