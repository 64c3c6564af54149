import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import type {Azurite} from '../services/azurite.js'
import {startService} from '../services/index.js'
import {AzureContainers} from '../storage/open-azure.js'
import {tool} from '../commands/tool.js'
import {freePort} from '../support/free-port.js'
import {startServer, testPassword, testPasswordHash} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {runProgram} from '../support/run.js'
import {buildSdist, buildWheel, type BuiltFile} from '../support/wheels.js'

const credentials = `Basic ${Buffer.from(`root:${testPassword}`).toString('base64')}`

/** A request by the administrator, whose answer must be `status`. */
async function ask(url: string, init: RequestInit & {status?: number} = {}): Promise<Response> {
  const {status = 200, ...rest} = init
  const answer = await fetch(url, {...rest, headers: {authorization: credentials}, redirect: 'manual'})
  if (answer.status !== status) assert.fail(`${url}: ${answer.status}\n${await answer.text()}`)
  return answer
}

async function upload(
  url: string,
  name: string,
  version: string,
  summary: string,
  {filename, bytes}: BuiltFile,
) {
  const form = new FormData()
  for (const [key, value] of Object.entries({':action': 'file_upload', name, version, summary}))
    form.set(key, value)
  form.set('content', new Blob([new Uint8Array(bytes)]), filename)
  await ask(`${url}/simple/`, {method: 'POST', body: form})
}

/** What a server says of a project, without what two servers may say in their own words, and the digest of each file. */
async function filesOf(url: string, project: string) {
  const {packages} = (await (await ask(`${url}/api/package/${project}/`)).json()) as {
    packages: {filename: string; version: string; summary: string | null; metadata: Record<string, unknown>}[]
  }
  const found = await Promise.all(
    packages.map(async ({filename, version, summary, metadata}) => {
      const {headers} = await ask(`${url}/api/package/${project}/${filename}`, {status: 302})
      // pypicloud's links are for https only, which an emulator does not speak
      const link = (headers.get('location') ?? '').split('?')[0]
      return {
        filename,
        version,
        summary,
        sha256: metadata['hash_sha256'],
        uploader: metadata['uploader'],
        link,
      }
    }),
  )
  return found.sort((a, b) => (a.filename < b.filename ? -1 : 1))
}

describe('a container of pypicloud comes here and goes back', needs('pypicloud', 'azurite'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let azurite: Azurite
  let azure: AzureContainers
  let port: number
  let file: string
  let servedByOriginal: unknown
  before(async () => {
    temp = await tempDir()
    azurite = await startService('azurite')
    azure = await AzureContainers.on(azurite)
    await azure.container('packages').create()
    port = await freePort()
    file = temp.join('server.ini')
    const settings = {
      ...azure.settings('packages', {'storage.prefix': 'pkgs/'}),
      'pypi.db': 'sql',
      'db.url': `sqlite:///${temp.join('cache.db')}`,
      'pypi.fallback': 'none',
      'pypi.default_read': 'everyone',
      'auth.admins': 'root',
      'user.root': testPasswordHash,
      'session.encrypt_key': 'c2hhcmVkLWVuY3J5cHQta2V5LTMyLWJ5dGVzLWxvbmc=',
      'session.validate_key': 'c2hhcmVkLXZhbGlkYXRlLWtleS0zMi1ieXRlcy1sbmc=',
      'session.secure': 'false',
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`)
    await writeFile(
      file,
      `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n\n[server:main]\nuse = egg:waitress#main\nhost = 127.0.0.1\nport = ${port}\n`,
    )
  })
  after(async () => {
    await azure[Symbol.asyncDispose]()
    await azurite[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  it('what pypicloud uploaded is rebuilt, listed and downloaded here', async () => {
    const wheel = await buildWheel({name: 'theirs', version: '1.0', requiresPython: '>=3.6'})
    const sdist = await buildSdist({name: 'theirs', version: '1.1', files: {'big.bin': 5_000_000}})
    {
      await using theirs = await startOriginal(file, port)
      await upload(theirs.url, 'theirs', '1.0', 'a tool', wheel)
      await upload(theirs.url, 'theirs', '1.1', '', sdist)
      servedByOriginal = await filesOf(theirs.url, 'theirs')
    }
    const rebuilt = await tool(temp.path, ['ppc-rebuild-cache', file])
    assert.equal(rebuilt.code, 0, rebuilt.stderr)
    await using ours = await startServer(file, await freePort())
    assert.deepEqual(await filesOf(ours.url, 'theirs'), servedByOriginal)
    for (const {filename, bytes} of [wheel, sdist]) {
      const answer = await fetch(`${ours.url}/api/package/theirs/${filename}`)
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes))
    }
  })

  it('what is uploaded and deleted here is rebuilt, listed, read and deleted by pypicloud', async () => {
    const wheel = await buildWheel({name: 'ours', version: '2.0'})
    const large = await buildSdist({name: 'ours', version: '2.1', files: {'big.bin': 12_000_000}})
    let before: unknown
    {
      await using ours = await startServer(file, await freePort())
      await upload(ours.url, 'ours', '2.0', 'Bibliothèque ouverte', wheel)
      await upload(ours.url, 'ours', '2.1', 'large', large)
      const gone = await buildWheel({name: 'gone', version: '1.0'})
      await upload(ours.url, 'gone', '1.0', '', gone)
      await ask(`${ours.url}/api/package/gone/${gone.filename}`, {method: 'DELETE'})
      before = (await filesOf(ours.url, 'ours')).map(entry => ({
        ...entry,
        summary: entry.summary?.normalize('NFKD').replace(/[^\x20-\x7e]/g, ''),
      }))
    }
    await using theirs = await startOriginal(file, port)
    await ask(`${theirs.url}/admin/rebuild`)
    assert.deepEqual(await filesOf(theirs.url, 'ours'), before)
    assert.deepEqual(await filesOf(theirs.url, 'theirs'), servedByOriginal)
    const {packages} = (await (await ask(`${theirs.url}/api/package/`)).json()) as {packages: string[]}
    assert.deepEqual(packages.sort(), ['ours', 'theirs'])
    await ask(`${theirs.url}/api/package/ours/${wheel.filename}`, {method: 'DELETE'})
    assert.equal((await filesOf(theirs.url, 'ours')).length, 1)
  })

  it('pypicloud reads the bytes that were stored here', async () => {
    const script = `import hashlib, json, sys
from azure.storage.blob import BlobServiceClient
service = BlobServiceClient.from_connection_string(sys.argv[1])
container = service.get_container_client('packages')
print(json.dumps({blob.name: hashlib.sha256(container.download_blob(blob.name).readall()).hexdigest() for blob in container.list_blobs()}))`
    const python = join(dirname(program('pypicloud')), 'python')
    const done = await runProgram(python, ['-c', script, azurite.connectionString], {cwd: temp.path})
    assert.equal(done.code, 0, done.stderr)
    const large = await buildSdist({name: 'ours', version: '2.1', files: {'big.bin': 12_000_000}})
    const found = JSON.parse(done.stdout) as Record<string, string>
    assert.equal(found[`pkgs/ours/${large.filename}`], createHash('sha256').update(large.bytes).digest('hex'))
  })
})
