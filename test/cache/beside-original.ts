import {mkdir, writeFile} from 'node:fs/promises'
import {freePort, testPassword, testPasswordHash} from '../support/live-server.js'
import {startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'

const headers = {authorization: `Basic ${Buffer.from(`admin:${testPassword}`).toString('base64')}`}

/** pypicloud itself with files in a directory of its own and a cache that it shares with a test. */
export interface BesideOriginal extends AsyncDisposable {
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
  return {
    async upload(name, version) {
      const form = new FormData()
      const fields = {':action': 'file_upload', name, version, summary: `Zähler ${version}`}
      for (const [key, value] of Object.entries({...fields, requires_python: '>=3'})) form.set(key, value)
      form.set('content', new Blob(['bytes']), `${name}-${version}.tar.gz`)
      await ask('/simple/', {method: 'POST', body: form})
    },
    async remove(name, filename) {
      await ask(`/api/package/${name}/${filename}`, {method: 'DELETE'})
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
