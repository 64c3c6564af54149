import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {tool} from '../commands/tool.js'
import {s3Settings} from '../server/cloud-settings.js'
import {startService, type Service} from '../services/index.js'
import {exampleKeys} from '../storage/s3-services.js'
import {freePort} from '../support/free-port.js'
import {startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {oddPackages, type OddPackage} from '../support/odd-packages.js'
import {
  copyConfig,
  makeOriginalBucketConfig,
  originalAdminPassword,
  startOriginal,
} from '../support/original.js'
import {tempDir} from '../support/temp.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${originalAdminPassword}`).toString('base64')}`}

/** The metadata of an object takes 2 kB and no more. */
const packages = oddPackages.map(({summary = '', ...file}) => ({...file, summary: summary.slice(0, 699)}))

interface Listed {
  readonly filename: string
  readonly name: string
  readonly version: string
  readonly summary: string | null
  readonly metadata: Readonly<Record<string, string>>
}

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(url, {headers, redirect: 'manual', ...init})
  if (answer.status >= 400) assert.fail(`${url}: ${answer.status} ${await answer.text()}`)
  return answer
}

async function publish(url: string, {filename, ...fields}: OddPackage): Promise<void> {
  const form = new FormData()
  for (const [key, value] of Object.entries({':action': 'file_upload', ...fields})) form.set(key, value)
  form.set('content', new Blob([filename]), filename)
  await ask(`${url}/simple/`, {method: 'POST', body: form})
}

/** What a server lists, by file name; every file is fetched, by its redirect where there is one, and is whole. */
async function servedBy(url: string): Promise<Record<string, Listed>> {
  const {packages: projects} = (await (await ask(`${url}/api/package/`)).json()) as {
    packages: string[]
  }
  const found: [string, Listed][] = []
  for (const project of projects) {
    const at = `${url}/api/package/${encodeURIComponent(project)}/`
    const listed = (await (await ask(at)).json()) as {packages: Listed[]}
    for (const {filename, name, version, summary, metadata} of listed.packages) {
      const link = await ask(at + encodeURIComponent(filename))
      const file = link.status === 302 ? await fetch(link.headers.get('location') ?? '') : link
      assert.deepEqual([file.status, await file.text()], [200, filename])
      found.push([filename, {filename, name, version, summary, metadata}])
    }
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('odd packages that pypicloud has put into a bucket', needs('pypicloud', 'moto'), () => {
  let moto: Service
  before(async () => {
    moto = await startService('moto')
  })
  after(() => moto[Symbol.asyncDispose]())

  for (const [title, settings] of [
    ['hashed below a prefix', {'storage.prefix': 'pkg/', 'storage.prepend_hash': 'true'}],
    ['flat, with a prefix that is no directory', {'storage.prefix': 'pkg-', 'storage.prepend_hash': 'false'}],
  ] as const) {
    it(`come to files and back, and pypicloud serves the same: ${title}`, async () => {
      await using temp = await tempDir()
      const file = temp.join('server.ini')
      const port = await freePort()
      const bucket = `odd-${title.slice(0, 4)}`
      const more = {'storage.bucket': bucket, ...settings}
      await makeOriginalBucketConfig(file, port, s3Settings(moto.url, exampleKeys, more))
      let theirs: Record<string, Listed>
      {
        await using original = await startOriginal(file, port)
        for (const each of packages) await publish(original.url, each)
        await ask(`${original.url}/admin/rebuild`) // a bucket keeps ASCII only
        theirs = await servedBy(original.url)
      }
      assert.equal(Object.keys(theirs).length, packages.length)

      const run = async (line: readonly string[]) => {
        const done = await tool(temp.path, [...line, '--json'])
        assert.equal(done.code, 0, done.stdout + done.stderr)
        return JSON.parse(done.stdout) as {copied: number; verified: number; added: number}
      }
      await copyConfig(file, temp.join('fresh.ini'), {'db.url': `sqlite:///${temp.join('fresh.db')}`})
      assert.equal((await run(['ppc-rebuild-cache', 'fresh.ini'])).added, packages.length)
      {
        await using ours = await startServer(temp.join('fresh.ini'), await freePort())
        assert.deepEqual(await servedBy(ours.url), theirs)
      }
      await copyConfig(file, temp.join('files.ini'), {
        'pypi.storage': 'file',
        'storage.dir': temp.join('packages'),
        'db.url': `sqlite:///${temp.join('files.db')}`,
      })
      const back = {'storage.bucket': `${bucket}-back`, 'db.url': `sqlite:///${temp.join('back.db')}`}
      await copyConfig(file, temp.join('back.ini'), back)
      assert.equal((await run(['ppc-migrate', 'server.ini', 'files.ini'])).copied, packages.length)
      assert.equal((await run(['ppc-migrate', 'files.ini', 'back.ini'])).copied, packages.length)
      for (const other of ['files.ini', 'back.ini']) {
        const {verified} = await run(['ppc-migrate', 'server.ini', other, '--verify-only'])
        assert.equal(verified, packages.length)
        await using original = await startOriginal(temp.join(other), port)
        await ask(`${original.url}/admin/rebuild`)
        assert.deepEqual(await servedBy(original.url), theirs)
      }
    })
  }
})
