import {mkdir, writeFile} from 'node:fs/promises'
import type {OddPackage} from '../support/odd-packages.js'
import {freePort} from '../support/free-port.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${testPassword}`).toString('base64')}`}

/** What it says of a file. */
export interface OriginalFile {
  readonly name: string
  readonly version: string
  readonly summary: string | null
  /** Seconds since 1970. */
  readonly last_modified: number
  readonly metadata: Readonly<Record<string, string>>
}

/** pypicloud itself with files in a directory of its own and a cache that it shares with a test. */
export interface BesideOriginal extends AsyncDisposable {
  /** Where its packages are. */
  readonly directory: string
  /** Of the bytes of its file name. */
  publish(file: OddPackage): Promise<void>
  /** Everything that it lists, by file name. */
  files(): Promise<Record<string, OriginalFile>>
  /** Of `NAME-VERSION.tar.gz`, with the summary `Zähler VERSION`. */
  upload(name: string, version: string): Promise<void>
  remove(name: string, filename: string): Promise<void>
  /** File names on the page of a project. */
  page(name: string): Promise<(string | undefined)[]>
  /** Its list of projects. */
  summaries(): Promise<{name: string; summary: string}[]>
  /** The answer's status. */
  health(): Promise<number>
  rebuild(): Promise<void>
}

/** @param cache lines of the config: `pypi.db` and what belongs to it. */
export async function startBesideOriginal(cache: readonly string[]): Promise<BesideOriginal> {
  const dir = await tempDir()
  const port = await freePort()
  await mkdir(dir.join('packages'))
  const config = [
    '[app:main]',
    'use = egg:pypicloud',
    'pypi.storage = file',
    'storage.dir = %(here)s/packages',
    ...cache,
    'auth.admins = admin',
    `user.admin = ${testPasswordHash}`,
    'session.validate_key = key',
    '[server:main]',
    'use = egg:waitress#main',
    'host = 127.0.0.1',
    `port = ${port}`,
  ]
  await writeFile(dir.join('server.ini'), `${config.join('\n')}\n`)
  const server = await startOriginal(dir.join('server.ini'), port)
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${server.url}${path}`, {headers, redirect: 'manual', ...init})
    const text = await answer.text()
    if (answer.status >= 400) throw new Error(`${path}: ${answer.status}\n${text}\n${server.log()}`)
    return text
  }
  const send = async ({filename, ...fields}: OddPackage, bytes: string) => {
    const form = new FormData()
    for (const [key, value] of Object.entries({':action': 'file_upload', ...fields})) form.set(key, value)
    form.set('content', new Blob([bytes]), filename)
    await ask('/simple/', {method: 'POST', body: form})
  }
  return {
    directory: dir.join('packages'),
    publish: file => send(file, file.filename),
    async files() {
      const {packages} = JSON.parse(await ask('/api/package/')) as {packages: string[]}
      const found: [string, OriginalFile][] = []
      for (const project of packages) {
        const text = await ask(`/api/package/${encodeURIComponent(project)}/`)
        const listed = JSON.parse(text) as {packages: (OriginalFile & {filename: string})[]}
        for (const {filename, name, version, summary, last_modified, metadata} of listed.packages)
          found.push([filename, {name, version, summary, last_modified, metadata}])
      }
      return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)))
    },
    async upload(name, version) {
      const more = {summary: `Zähler ${version}`, requires_python: '>=3'}
      await send({filename: `${name}-${version}.tar.gz`, name, version, ...more}, 'bytes')
    },
    async remove(name, filename) {
      const path = [name, filename].map(encodeURIComponent).join('/')
      await ask(`/api/package/${path}`, {method: 'DELETE'})
    },
    async page(name) {
      const text = await ask(`/simple/${name}/`)
      return [...text.matchAll(/>([^<]+\.(?:tar\.gz|whl))</g)].map(([, filename]) => filename)
    },
    async summaries() {
      const text = await ask('/api/package/?verbose=true')
      return (JSON.parse(text) as {packages: {name: string; summary: string}[]}).packages
    },
    health: async () => (await fetch(`${server.url}/health`)).status,
    async rebuild() {
      await ask('/admin/rebuild')
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}
