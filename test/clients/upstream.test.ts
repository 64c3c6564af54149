import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {mkdir, readdir} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {formOf} from '../server/upload-form.js'
import {freePort} from '../support/free-port.js'
import {liveServer, startServer, testPassword, type LiveServer} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {buildSdist, buildWheel, type BuiltFile} from '../support/wheels.js'

const basic = `Basic ${Buffer.from(`writer:${testPassword}`).toString('base64')}`

async function publish(server: LiveServer, {filename, bytes}: BuiltFile): Promise<void> {
  const {payload, headers} = formOf([
    {name: ':action', value: 'file_upload'},
    {name: 'content', value: bytes, filename},
  ])
  const answer = await fetch(`${server.url}/simple/`, {
    method: 'POST',
    headers: {...headers, authorization: basic},
    body: new Uint8Array(payload),
  })
  assert.equal(answer.status, 200, await answer.text())
}

/** Two servers as an operator starts them: one is the other's upstream, and wants a login. */
describe('real clients of a server that caches another one', () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let upstream: LiveServer
  let server: LiveServer

  before(async () => {
    temp = await tempDir()
    for (const name of ['upstream', 'own']) await mkdir(temp.join(name))
    upstream = await liveServer(temp.join('upstream'), {'group.writers': 'writer'})
    for (const version of ['1.0', '1.1'])
      await publish(upstream, await buildWheel({name: 'Up.Only', version, requiresPython: '>=3.8'}))
    await publish(upstream, await buildSdist({name: 'Up.Only', version: '1.1'}))
    await publish(
      upstream,
      await buildWheel({name: 'needs-up', version: '2.0', requiresDist: ['Up.Only<1.1']}),
    )
    await publish(upstream, await buildWheel({name: 'acme-core', version: '99.0'}))
    server = await liveServer(
      temp.join('own'),
      {
        'pypi.fallback': 'mirror',
        'pypi.fallback_base_url': upstream.url,
        'pypi.upstream_username': 'reader',
        'pypi.upstream_password': testPassword,
        'pypi.private': 'acme-*',
      },
      ['--workers', '2'],
    )
    await publish(server, await buildWheel({name: 'acme-core', version: '1.0'}))
    await publish(server, await buildWheel({name: 'needs-up', version: '1.0'}))
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  const filesHere = async () =>
    (await readdir(temp.join('own', 'packages'), {recursive: true}))
      .filter(name => /\.(?:whl|gz)$/.test(name))
      .map(name => name.split('/').at(-1))
      .sort()
  const versionsIn = async (site: string) =>
    (await readdir(site))
      .filter(name => name.endsWith('.dist-info'))
      .map(name => name.replace('.dist-info', ''))
      .sort()

  it(
    'pip installs from both at once, and nothing of a private name from the upstream',
    needs('pip'),
    async () => {
      const site = temp.join('site-pip')
      const done = await runProgram(
        program('pip'),
        [
          'install',
          '--no-input',
          '--target',
          site,
          '--index-url',
          `${server.urlFor('reader')}/simple/`,
          'needs-up',
          'acme-core',
        ],
        {cwd: temp.path},
      )
      assert.equal(done.code, 0, done.stderr)
      assert.deepEqual(await versionsIn(site), ['acme_core-1.0', 'needs_up-2.0', 'up_only-1.0'])
      assert.ok((await filesHere()).includes('needs_up-2.0-py3-none-any.whl'))
    },
  )

  it('uv installs, with its metadata read alone', needs('uv'), async () => {
    const site = temp.join('site-uv')
    const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)']).stdout.toString().trim()
    const done = await runProgram(
      program('uv'),
      [
        ...['pip', 'install', '--no-cache', '--python', python, '--target', site],
        ...['--default-index', `${server.urlFor('reader')}/simple/`, 'up-only', 'acme-core'],
      ],
      {cwd: temp.path},
    )
    assert.equal(done.code, 0, done.stderr)
    assert.deepEqual(await versionsIn(site), ['acme_core-1.0', 'up_only-1.1'])
  })

  it('many ask both processes for a new file at once, and one of them fetches it', async () => {
    const names = (await filesHere()).length
    const page = await fetch(`${server.url}/simple/up-only/`, {headers: {authorization: basic}})
    const sdist = />([^<]*1\.1\.tar\.gz)</.exec(await page.text())?.[1] ?? ''
    const answers = await Promise.all(
      Array.from({length: 40}, async () => {
        const answer = await fetch(`${server.url}/api/package/up-only/${sdist}`, {
          headers: {authorization: basic},
        })
        return [answer.status, (await answer.arrayBuffer()).byteLength] as const
      }),
    )
    assert.deepEqual(new Set(answers.map(([status, size]) => `${status} ${size > 0}`)), new Set(['200 true']))
    assert.equal((await filesHere()).length, names + 1)
    const fetches = () =>
      upstream
        .log()
        .split('\n')
        .filter(line => line.includes(`/${sdist}"`)).length
    await waitFor('the log says that it was fetched', () => fetches() > 0)
    await sleep(200) // a second one would be written by now
    assert.equal(fetches(), 1, upstream.log())
  })

  it('a server that starts counts what is mixed, and no log holds a password', async () => {
    await using again = await startServer(temp.join('own', 'server.ini'), await freePort())
    await waitFor('the log says what is mixed', () => again.log().includes('mixes'))
    assert.match(again.log(), /always_show_upstream mixes 1 project that is published here/)
    assert.ok(!(server.log() + upstream.log() + again.log()).includes(testPassword))
  })
})
