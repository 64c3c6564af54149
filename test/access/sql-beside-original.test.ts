import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {startService} from '../services/index.js'
import {freePort} from '../support/free-port.js'
import {startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {startOriginal} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {buildSdist} from '../support/wheels.js'

type Side = 'pypicloud' | 'this server'
const root = {name: 'root', password: 'räuber'}
interface Who {
  readonly name: string
  readonly password: string
}

/** Both read one config: one database of users, rules and files, and one directory. */
const configFor = (databaseUrl: string, port: number): string => `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read =
storage.dir = %(here)s/packages
pypi.db = sql
db.url = ${databaseUrl}
pypi.auth = sql
auth.db.url = ${databaseUrl}
auth.rounds = 1000
session.validate_key = key
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = ${port}
`

for (const service of ['postgresql', 'mariadb'] as const) {
  describe(
    `pypicloud and this server on one access database on ${service}`,
    needs('pypicloud', service),
    () => {
      const running: AsyncDisposable[] = []
      const keep = <T extends AsyncDisposable>(started: T): T => (running.push(started), started)
      const urls = new Map<Side, string>()

      /** The answer's status. A body that is no form is sent as JSON. */
      const ask = async (
        side: Side,
        who: Who | undefined,
        method: string,
        path: string,
        body?: object,
      ): Promise<number> => {
        const answer = await fetch(`${urls.get(side) ?? ''}${path}`, {
          method,
          redirect: 'manual',
          headers: {
            ...(who && {
              authorization: `Basic ${Buffer.from(`${who.name}:${who.password}`).toString('base64')}`,
            }),
            ...(body && !(body instanceof FormData) ? {'content-type': 'application/json'} : {}),
          },
          ...(body && {body: body instanceof FormData ? body : JSON.stringify(body)}),
        })
        await answer.arrayBuffer()
        return answer.status
      }
      const upload = async (side: Side, who: Who, project: string, version: string) => {
        const {filename, bytes} = await buildSdist({name: project, version})
        const form = new FormData()
        form.set(':action', 'file_upload')
        form.set('name', project)
        form.set('version', version)
        form.set('content', new Blob([new Uint8Array(bytes)]), filename)
        return ask(side, who, 'POST', '/simple/', form)
      }
      const download = (side: Side, who: Who, project: string) =>
        ask(side, who, 'GET', `/api/package/${project}/${project}-1.0.tar.gz`)
      const eventually = async (status: number, find: () => Promise<number>) => {
        const giveUpAt = performance.now() + 20_000
        for (;;) {
          const found = await find() // 429: asked too often with what is not known there yet
          if (found === status) return
          if (performance.now() > giveUpAt) assert.equal(found, status)
          await sleep(200)
        }
      }

      before(async () => {
        const database = keep(await startService(service))
        const dir = keep(await tempDir())
        const file = dir.join('server.ini')
        const port = await freePort()
        const driver = service === 'mariadb' ? 'mysql+pymysql' : 'postgresql+psycopg2'
        const options = service === 'mariadb' ? '?charset=utf8mb4' : ''
        await writeFile(file, configFor(database.url.replace(/^\w+/, driver) + options, port))
        urls.set('pypicloud', keep(await startOriginal(file, port)).url)
        urls.set('this server', keep(await startServer(file, await freePort())).url)
        // the first user of an empty database becomes its administrator
        assert.equal(
          await ask('pypicloud', undefined, 'PUT', '/api/user/root', {password: root.password}),
          200,
        )
      })
      after(async () => {
        for (const each of running.reverse()) await each[Symbol.asyncDispose]()
      })

      for (const [writer, reader] of [
        ['pypicloud', 'this server'],
        ['this server', 'pypicloud'],
      ] as const) {
        const key = writer.replace(' ', '')
        const project = `from${key}`
        const user: Who = {name: `jörg.${key}`, password: 'first'}
        const path = `/admin/user/${encodeURIComponent(user.name)}`
        const group = `team of ${key}`
        const change = async (method: string, where: string, body?: object) => {
          assert.equal(await ask(writer, root, method, where, body), 200, `${method} ${where}`)
        }
        const isAnswered = (status: number, who = user) =>
          eventually(status, () => download(reader, who, project))

        describe(`what ${writer} changes is so for ${reader}`, () => {
          before(async () => {
            assert.equal(await upload(writer, root, project, '1.0'), 200)
            await isAnswered(200, root)
          })

          it('a user, a new password, and an administrator', async () => {
            await change('PUT', path, {password: user.password})
            await isAnswered(403)
            await change('POST', `${path}/admin`, {admin: true})
            await isAnswered(200)
            await change('POST', `${path}/admin`, {admin: false})
            await isAnswered(403)
            const passwords = {old_password: 'first', new_password: 'zweites'}
            assert.equal(await ask(writer, user, 'POST', '/api/user/password', passwords), 200)
            await isAnswered(401)
            await isAnswered(403, {...user, password: 'zweites'})
            await change('DELETE', path)
            await isAnswered(401, {...user, password: 'zweites'})
            await change('PUT', path, {password: user.password})
            await isAnswered(403)
          })

          it('a permission of a user, given and taken', async () => {
            const right = `/admin/package/${project}/user/${encodeURIComponent(user.name)}`
            await change('PUT', `${right}/read`)
            await isAnswered(200)
            assert.equal(await upload(reader, user, project, '2.0'), 403)
            await change('PUT', `${right}/write`)
            await eventually(200, () => upload(reader, user, project, '2.0'))
            await change('DELETE', `${right}/write`)
            await eventually(403, () => upload(reader, user, project, '2.0'))
            await isAnswered(200)
            await change('DELETE', `${right}/read`)
            await isAnswered(403)
          })

          it('a group, its members and its permissions, given and taken', async () => {
            const groupPath = `/admin/group/${encodeURIComponent(group)}`
            const member = `${path}/group/${encodeURIComponent(group)}`
            const right = `/admin/package/${project}/group/${encodeURIComponent(group)}/read`
            await change('PUT', groupPath)
            await change('PUT', member)
            await change('PUT', right)
            await isAnswered(200)
            await change('DELETE', member)
            await isAnswered(403)
            await change('PUT', member)
            await isAnswered(200)
            await change('DELETE', right)
            await isAnswered(403)
            await change('PUT', right)
            await isAnswered(200)
            await change('DELETE', groupPath)
            await isAnswered(403)
          })

          it('a registration, its approval, and a deletion after which the name has no rights', async () => {
            const other: Who = {name: `waits-for-${key}`, password: 'patience'}
            const register = () =>
              ask(reader, undefined, 'PUT', `/api/user/${other.name}`, {password: other.password})
            await change('POST', '/admin/register', {allow: true})
            await eventually(200, register)
            assert.equal(await download(reader, other, project), 401)
            await change('POST', `/admin/user/${other.name}/approve`)
            await isAnswered(403, other)
            await change('PUT', `/admin/package/${project}/user/${other.name}/read`)
            await isAnswered(200, other)
            await change('DELETE', `/admin/user/${other.name}`)
            await isAnswered(401, other)
            await change('PUT', `/admin/user/${other.name}`, {password: other.password})
            await isAnswered(403, other)
            await change('POST', '/admin/register', {allow: false})
            await eventually(403, register)
          })
        })
      }
    },
  )
}
