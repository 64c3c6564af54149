import assert from 'node:assert/strict'
import {readFile, rename} from 'node:fs/promises'
import {Agent, request as httpRequest} from 'node:http'
import {describe, it} from 'node:test'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {basic} from './installation.js'
import {openSettings, startChild, writeIni} from './child-server.js'

/** sha512_crypt of "correct horse" with 1,000 rounds. */
const hash =
  '$6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11'
const settings = {...openSettings, 'auth.admins': 'admin', 'user.admin': hash, 'pypi.realm': 'first'}

const realmAt = async (url: string): Promise<string | undefined> =>
  /realm="([^"]*)"/.exec((await fetch(`${url}/admin/user`)).headers.get('www-authenticate') ?? '')?.[1]

describe('SIGHUP', () => {
  for (const workers of [1, 2]) {
    it(`changes the config of ${workers} worker(s) under load and loses no request`, async () => {
      await using dir = await tempDir()
      const file = dir.join('server.ini')
      await writeIni(file, settings)
      await using server = await startChild(file, workers)
      const load = startLoad(`${server.url}/simple/`)
      for (const realm of ['second', 'third', 'fourth']) {
        await writeIni(file, {...settings, 'pypi.realm': realm})
        server.process.kill('SIGHUP')
        const line = await server.logged('the config was reloaded')
        assert.deepEqual(line['changed'], ['pypi.realm'])
        // A worker may be a moment later than the first process, which says it for all.
        const isSeen = async () => {
          const seen = await Promise.all(Array.from({length: 6}, () => realmAt(server.url)))
          return seen.every(one => one === realm)
        }
        let changed = false
        for (let tries = 0; tries < 200 && !changed; tries += 1) changed = await isSeen()
        assert.ok(changed, realm)
      }
      await waitFor('fifty answers', () => load.answered() >= 50)
      assert.deepEqual(await load.stop(), [])
    })

    it(`keeps the old config of ${workers} worker(s) over a bad one, and says why`, async () => {
      await using dir = await tempDir()
      const file = dir.join('server.ini')
      await writeIni(file, settings)
      await using server = await startChild(file, workers)
      for (const [bad, reason] of [
        [{'pypi.fallback': 'sometimes'}, /pypi\.fallback/],
        [{'db.url': 'postgresql://nobody:s3cret@127.0.0.1:1/none'}, /can't reach PostgreSQL/],
      ] as const) {
        await writeIni(file, {...settings, 'pypi.realm': 'bad', ...bad})
        server.process.kill('SIGHUP')
        const line = await server.logged(/can not be used/)
        assert.match(String(line['reason']), reason)
        assert.doesNotMatch(JSON.stringify(line), /s3cret/)
        assert.equal(await realmAt(server.url), 'first')
      }
      await writeIni(file, {...settings, 'pypi.realm': 'good'})
      server.process.kill('SIGHUP')
      await server.logged('the config was reloaded')
      await waitFor('the new realm', async () => (await realmAt(server.url)) === 'good')
    })
  }

  it('goes on in new log files after their rotation', async () => {
    await using dir = await tempDir()
    const file = dir.join('server.ini')
    await writeIni(
      file,
      {...settings, 'audit.file': 'audit.log'},
      '[loggers]\nkeys = root\n[handlers]\nkeys = file\n[formatters]\nkeys =\n' +
        "[logger_root]\nlevel = INFO\nhandlers = file\n[handler_file]\nclass = FileHandler\nargs = ('%(here)s/server.log', 'a')\n",
    )
    await using server = await startChild(file, 2)
    const ask = () =>
      fetch(`${server.url}/acct/login`, {
        method: 'POST',
        body: new URLSearchParams({username: 'x', password: 'y'}),
      })
    await ask()
    await rename(dir.join('server.log'), dir.join('server.log.1'))
    await rename(dir.join('audit.log'), dir.join('audit.log.1'))
    server.process.kill('SIGHUP')
    const read = (name: string) => readFile(dir.join(name), 'utf8').catch(() => '')
    await waitFor('both files have lines again', async () => {
      await ask()
      const [log, audit] = [await read('server.log'), await read('audit.log')]
      return /"msg":"request"/.test(log) && /"action":"login","result":"denied"/.test(audit)
    })
    const audit = await read('audit.log')
    assert.equal(audit.split('"action":"config.reload"').length, 2, 'once, whatever the workers')
  })
})

/** Eight clients that ask on and on, each on a connection that it keeps. */
function startLoad(url: string) {
  const failures: string[] = []
  let answered = 0
  let stopping = false
  const agent = new Agent({keepAlive: true, maxSockets: 8})
  const headers = {authorization: basic('admin', 'correct horse')}
  const once = () =>
    new Promise<void>(resolve => {
      httpRequest(url, {agent, headers}, response => {
        if (response.statusCode !== 200) failures.push(String(response.statusCode))
        response.resume().on('end', () => {
          answered += 1
          resolve()
        })
      })
        .on('error', error => {
          failures.push(error.message)
          resolve()
        })
        .end()
    })
  const clients = Array.from({length: 8}, async () => {
    while (!stopping) await once()
  })
  return {
    answered: () => answered,
    /** @returns what failed. */
    async stop() {
      stopping = true
      await Promise.all(clients)
      agent.destroy()
      return failures
    },
  }
}
