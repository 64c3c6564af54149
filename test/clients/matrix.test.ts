import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {chmod, mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {testPassword} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {runProgram, type Finished} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {buildWheel, coreMetadata, type BuiltFile} from '../support/wheels.js'
import {uploadForm} from '../server/upload-form.js'
import {tool} from '../commands/tool.js'
import {serverBehindNginx, type ServerBehindNginx} from './behind-nginx.js'
import {prepare, publishers} from './publishers.js'

/** Every tool as a program, against one server below a path of nginx. They take turns on the processors, so all at once. */
describe('clients behind nginx', {concurrency: 2, ...needs('nginx')}, () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let index: ServerBehindNginx
  let token: string
  const built = new Map<string, BuiltFile>()

  before(async () => {
    temp = await tempDir()
    index = await serverBehindNginx(
      temp.path,
      'pypi.default_read = readers\npypi.default_write = writers\npypi.allow_overwrite =',
    )
    const json = {'content-type': 'application/json'}
    const admin = {authorization: `Basic ${Buffer.from(`admin:${testPassword}`).toString('base64')}`}
    const put = async (path: string, body?: object) => {
      const answer = await fetch(`${index.url}${path}`, {
        method: 'PUT',
        headers: path.startsWith('/api/') ? json : {...json, ...admin},
        ...(body && {body: JSON.stringify(body)}),
      })
      assert.equal(answer.status, 200, `${path}: ${await answer.text()}`)
    }
    await put('/api/user/admin', {password: testPassword})
    for (const group of ['readers', 'writers']) await put(`/admin/group/${group}`, {})
    for (const [user, ...groups] of [['writer', 'readers', 'writers'], ['reader', 'readers'], ['outsider']]) {
      await put(`/admin/user/${user}`, {password: testPassword})
      for (const group of groups) await put(`/admin/user/${user}/group/${group}`, {})
    }
    const created = await tool(temp.path, 'ppc token create server.ini reader')
    assert.equal(created.code, 0, created.stderr)
    token = created.stdout.trim()
    for (const version of ['1.0', '1.1', '2.0']) {
      const wheel = await buildWheel({name: 'Acme.Core_lib', version, requiresPython: '>=3.8'})
      built.set(version, wheel)
      const form = uploadForm(wheel, {name: 'Acme.Core_lib', version})
      const answer = await fetch(`${index.url}/legacy/`, {
        method: 'POST',
        headers: {
          ...form.headers,
          authorization: `Basic ${Buffer.from(`writer:${testPassword}`).toString('base64')}`,
        },
        body: form.payload,
      })
      assert.equal(answer.status, 200, await answer.text())
    }
    const yanked = await tool(temp.path, [
      ...['ppc', 'yank', 'server.ini', 'acme-core-lib', '2.0', '--reason', 'loses data'],
    ])
    assert.equal(yanked.code, 0, yanked.stderr)
  })
  after(async () => {
    await index[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  for (const publisher of publishers)
    it(
      `${publisher.program} publishes, again, and neither other bytes nor without the right`,
      needs(publisher.program),
      async () => {
        const directory = temp.join(`by-${publisher.program}`)
        const publish = (username = 'writer', password = testPassword) =>
          publisher.publish({directory, url: `${index.url}/simple/`, username, password})
        const said = ({code, stdout, stderr}: Finished) => ({failed: code !== 0, text: stdout + stderr})

        await prepare(publisher, directory, 'as it was')
        // somebody else each time: many wrong passwords of one user would slow him down
        const wrong = said(await publish(`no-${publisher.program}`, 'wrong'))
        assert.ok(wrong.failed && /401|authentication|credentials/i.test(wrong.text), wrong.text)
        const reader = said(await publish('reader'))
        assert.ok(reader.failed && /403|forbidden/i.test(reader.text), reader.text)
        for (const time of ['first', 'second']) {
          const done = said(await publish())
          assert.ok(!done.failed, `${time}: ${done.text}`)
        }
        const page = await fetch(`${index.url}/simple/${publisher.project}/`, {
          headers: {authorization: `Bearer ${token}`, accept: 'application/vnd.pypi.simple.v1+json'},
        })
        const {files} = (await page.json()) as {files: {filename: string}[]}
        assert.equal(files.length, 2, JSON.stringify(files))

        await prepare(publisher, directory, 'changed')
        const changed = said(await publish())
        // hatch does not send what the index lists already
        if (publisher.program === 'hatch') return
        assert.ok(changed.failed && /409|already exists/i.test(changed.text), changed.text)
      },
    )

  const target = (name: string) => temp.join(`site-${name.replace(/[^a-z0-9]/gi, '_')}-${Math.random()}`)
  interface Installer {
    readonly program: string
    install(url: string, args: string[], home: string): Promise<Finished & {installed: string[]}>
  }
  const installers: Installer[] = ['pip-23', 'pip', 'uv', 'uv-0'].map(name => ({
    program: name,
    install: async (url, args, home) => {
      const site = target(name)
      const own =
        name === 'uv'
          ? ['pip', 'install', '--default-index', url]
          : name === 'uv-0'
            ? ['pip', 'install', '--python', program('python3'), '--index-url', url]
            : ['install', '--no-input', '--index-url', url]
      const done = await runProgram(program(name), [...own, '--no-deps', '--target', site, ...args], {
        cwd: home,
        env: {UV_CACHE_DIR: temp.join('uv-cache')},
      })
      const found = await readdir(site).catch((): string[] => [])
      return {...done, installed: found.filter(entry => entry.endsWith('.dist-info'))}
    },
  }))
  const [old, latest, pinned] = ['1.1', '2.0', '1.0'].map(version => [`acme_core_lib-${version}.dist-info`])

  for (const {program: name, install} of installers) {
    it(
      `${name} installs by any spelling of the name, but no yanked release unless it is pinned`,
      needs(name),
      async () => {
        const url = `${index.urlFor('reader')}/simple/`
        for (const spelling of ['acme-core-lib', 'Acme.Core_lib', 'ACME_CORE.LIB']) {
          const done = await install(url, [spelling], temp.path)
          assert.equal(done.code, 0, done.stderr)
          assert.deepEqual(done.installed, old)
        }
        const yanked = await install(url, ['acme-core-lib==2.0'], temp.path)
        assert.deepEqual(yanked.installed, latest, yanked.stderr)
        assert.match(yanked.stdout + yanked.stderr, /loses data/)
      },
    )

    it(`${name} takes credentials from netrc and tokens, and none that are wrong`, needs(name), async () => {
      const home = temp.join(`home-${name}`)
      await mkdir(home)
      const netrc = join(home, '.netrc')
      await writeFile(netrc, `machine 127.0.0.1 login reader password "${testPassword}"\n`)
      await chmod(netrc, 0o600)
      const byNetrc = await install(`${index.url}/simple/`, ['acme-core-lib'], home)
      assert.deepEqual(byNetrc.installed, old, byNetrc.stderr)
      const byToken = await install(
        `${index.urlFor('__token__', token)}/simple/`,
        ['acme-core-lib'],
        temp.path,
      )
      assert.deepEqual(byToken.installed, old, byToken.stderr)
      for (const url of [index.url, index.urlFor('reader', 'wrong'), index.urlFor('outsider')]) {
        const refused = await install(`${url}/simple/`, ['acme-core-lib'], temp.path)
        assert.notEqual(refused.code, 0)
        assert.deepEqual(refused.installed, [])
      }
    })

    it(`${name} finds the hashes that it was told to require, and no others`, needs(name), async () => {
      const url = `${index.urlFor('reader')}/simple/`
      const sha256 = createHash('sha256')
        .update(built.get('1.0')?.bytes ?? '')
        .digest('hex')
      const file = temp.join(`requirements-${name}.txt`)
      await writeFile(file, `acme-core-lib==1.0 --hash=sha256:${sha256}\n`)
      const done = await install(url, ['--require-hashes', '-r', file], temp.path)
      assert.deepEqual(done.installed, pinned, done.stderr)
      await writeFile(file, `acme-core-lib==1.0 --hash=sha256:${'0'.repeat(64)}\n`)
      assert.notEqual((await install(url, ['--require-hashes', '-r', file], temp.path)).code, 0)
    })
  }

  it('pip and uv choose by the time of upload', needs('pip', 'uv'), async () => {
    const url = `${index.urlFor('reader')}/simple/`
    for (const {program: name, install} of installers.slice(1, 3)) {
      const option = name === 'uv' ? '--exclude-newer' : '--uploaded-prior-to'
      const future = await install(url, [option, '2100-01-01', 'acme-core-lib'], temp.path)
      assert.deepEqual(future.installed, old, future.stderr)
      const past = await install(url, [option, '2001-01-01', 'acme-core-lib'], temp.path)
      assert.notEqual(past.code, 0)
      assert.deepEqual(past.installed, [])
    }
  })

  it('pip reads the metadata beside a wheel, and only then the wheel', needs('pip'), async () => {
    const [, pip] = installers
    const wheel = `/acme_core_lib-1.0-py3-none-any.whl`
    await pip?.install(`${index.urlFor('reader')}/simple/`, ['acme-core-lib==1.0'], temp.path)
    const requests = (await index.requests()).filter(line => line.includes(wheel))
    assert.ok(
      requests.some(line => line.endsWith(`${wheel}.metadata 200`)),
      requests.join('\n'),
    )
    const link = await fetch(`${index.url}/api/package/acme-core-lib${wheel}.metadata`, {
      headers: {authorization: `Bearer ${token}`},
    })
    assert.equal(
      await link.text(),
      coreMetadata({name: 'Acme.Core_lib', version: '1.0', requiresPython: '>=3.8'}),
    )
  })

  /** A project that needs `Acme.Core_lib` of our index, and what a tool locks for it. */
  const lock = async (name: 'poetry' | 'pdm', url: string) => {
    const directory = temp.join(`lock-${name}-${Math.random()}`)
    await mkdir(directory)
    const source =
      name === 'pdm'
        ? `[[tool.pdm.source]]\nname = "pypi"\nurl = "${url}"\nverify_ssl = false\n`
        : `[[tool.poetry.source]]\nname = "ours"\nurl = "${url}"\n[tool.poetry]\npackage-mode = false\n`
    await writeFile(
      join(directory, 'pyproject.toml'),
      `[project]\nname = "app"\nversion = "1.0"\nrequires-python = ">=3.9"\ndependencies = ["Acme.Core_lib"]\n${source}`,
    )
    const done = await runProgram(
      program(name),
      ['lock', ...(name === 'poetry' ? ['--no-interaction'] : [])],
      {
        cwd: directory,
        env: {
          POETRY_HTTP_BASIC_OURS_USERNAME: 'reader',
          POETRY_HTTP_BASIC_OURS_PASSWORD: testPassword,
          POETRY_CACHE_DIR: join(directory, 'cache'),
          POETRY_CONFIG_DIR: join(directory, 'config'),
          POETRY_VIRTUALENVS_CREATE: 'false',
          PDM_CHECK_UPDATE: 'false',
          PDM_USE_VENV: 'false',
          PDM_CACHE_DIR: join(directory, 'cache'),
          PDM_PYTHON: program('python3'),
        },
      },
    )
    return {...done, text: await readFile(join(directory, `${name}.lock`), 'utf8').catch(() => '')}
  }
  for (const name of ['poetry', 'pdm'] as const)
    it(`${name} locks the release that is not yanked, with its hash`, needs(name, 'python3'), async () => {
      const url = name === 'pdm' ? index.urlFor('reader') : index.url
      const locked = await lock(name, `${url}/simple/`)
      assert.equal(locked.code, 0, locked.stdout + locked.stderr)
      const sha256 = createHash('sha256')
        .update(built.get('1.1')?.bytes ?? '')
        .digest('hex')
      assert.ok(locked.text.includes(sha256), locked.text)
    })

  it('no log line holds a password or a token', () => {
    for (const secret of [testPassword, encodeURIComponent(testPassword), token])
      assert.ok(!index.server.log().includes(secret))
  })
})
