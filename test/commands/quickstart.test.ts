import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFile, readdir, stat, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {freePort} from '../support/free-port.js'
import {tempDir} from '../support/temp.js'
import {binPath, sqlConfig, tool} from './tool.js'

/** Starts it and waits for its last line. */
async function quickstart(cwd: string, port: number) {
  const child = spawn(process.execPath, [binPath('ppc'), 'quickstart', '--port', String(port)], {cwd})
  let stdout = ''
  let stderr = ''
  child.stderr.on('data', text => (stderr += String(text)))
  for await (const text of child.stdout) {
    stdout += String(text)
    if (stdout.includes('Ctrl-C')) break
  }
  assert.ok(stdout.includes('Ctrl-C'), stderr)
  return {
    stdout,
    log: () => stderr,
    end: async () => {
      const exited = once(child, 'exit')
      child.kill('SIGINT')
      return ((await exited) as [number | null])[0]
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

describe('ppc quickstart', () => {
  it('starts from nothing an index that only the shown password opens, and goes on with it later', async () => {
    await using dir = await tempDir()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    using first = await quickstart(dir.path, port)
    const password = /Password: +([A-Za-z2-9]{20}) /.exec(first.stdout)?.[1] ?? ''
    for (const line of [
      `twine upload --repository-url ${url}/simple/ -u admin -p ${password} dist/*`,
      `pip install --index-url http://admin:${password}@127.0.0.1:${port}/simple/ NAME`,
      `uv pip install --index-url http://admin:${password}@127.0.0.1:${port}/simple/ NAME`,
    ]) {
      assert.ok(first.stdout.includes(line), first.stdout)
    }
    const get = (secret?: string) =>
      fetch(`${url}/admin/acl.json.gz`, {
        headers: secret === undefined ? {} : {authorization: `Basic ${btoa(`admin:${secret}`)}`},
      })
    assert.equal((await get(password)).status, 200)
    assert.equal((await get('wrong')).status, 401)
    assert.equal((await get()).status, 401)
    assert.equal(await first.end(), 0)
    assert.doesNotMatch(first.log(), new RegExp(password))

    assert.deepEqual(await readdir(dir.path), ['ppc-index'])
    assert.equal((await stat(dir.join('ppc-index'))).mode & 0o777, 0o700)
    assert.equal((await stat(dir.join('ppc-index/server.ini'))).mode & 0o777, 0o600)
    const config = await readFile(dir.join('ppc-index/server.ini'), 'utf8')
    assert.ok(!config.includes(password))
    assert.deepEqual((await tool(dir.path, 'ppc config check ppc-index/server.ini')).code, 0)

    using second = await quickstart(dir.path, port)
    assert.doesNotMatch(second.stdout, /Password:/)
    assert.match(second.stdout, /-u admin -p PASSWORD/)
    assert.equal((await get(password)).status, 200)
    assert.equal(await second.end(), 0)
    assert.equal(await readFile(dir.join('ppc-index/server.ini'), 'utf8'), config)
  })
  it('says in a sentence that another program has the port, after it has shown the password', async () => {
    await using dir = await tempDir()
    const port = await freePort()
    using first = await quickstart(dir.path, port)
    const {code, stdout, stderr} = await tool(dir.path, `ppc quickstart other --port ${port}`)
    assert.equal(code, 1)
    assert.match(stdout, /Password:/)
    assert.match(stderr, new RegExp(`ppc quickstart: 127\\.0\\.0\\.1:${port}: [^\n]+\n$`))
    await first.end()
  })
})

describe('A config of ppc-make-config', () => {
  for (const kind of ['-d', '-t', '-p']) {
    it(`starts at once when made with ${kind}`, async () => {
      await using dir = await tempDir()
      const input = 'config-pass-1'
      const line = `ppc-make-config ${kind} --storage filesystem --admin ada --password-stdin server.ini`
      assert.equal((await tool(dir.path, line, {input})).code, 0)
      const port = String(await freePort())
      const args = ['server.ini', '--host', '127.0.0.1', '--port', port, '--workers', '1']
      const child = spawn(process.execPath, [binPath('ppc-serve'), ...args], {cwd: dir.path})
      const stop = setTimeout(() => child.kill('SIGKILL'), 30_000)
      for await (const text of child.stderr) if (String(text).includes('Serving')) break
      const answer = await fetch(`http://127.0.0.1:${port}/simple/`, {
        headers: {authorization: `Basic ${btoa('ada:config-pass-1')}`},
      })
      child.kill('SIGTERM')
      const [code] = (await once(child, 'exit')) as [number | null]
      clearTimeout(stop)
      assert.deepEqual([answer.status, code], [200, 0])
    })
  }
})

describe('ppc-serve', () => {
  it('serves on and ends when asked, after the reader of its log went away', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), sqlConfig('a'))
    const port = await freePort()
    const args = ['server.ini', '--host', '127.0.0.1', '--port', String(port)]
    const child = spawn(process.execPath, [binPath('ppc-serve'), ...args], {cwd: dir.path})
    for await (const text of child.stderr) if (String(text).includes('Serving')) break // and closes the pipe
    for (let time = 0; time < 3; time += 1) {
      assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200)
      await new Promise(resolve => setTimeout(resolve, 700)) // so that it writes its log
    }
    child.kill('SIGTERM')
    assert.equal(((await once(child, 'exit')) as [number | null])[0], 0)
  })
})
