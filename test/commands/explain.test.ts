import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {completeMark} from '../../src/lib/cache/cache.js'
import {openIndex, uploadOf} from '../index/open-index.js'
import {tempDir} from '../support/temp.js'
import {fakeUpstream} from '../support/upstream.js'
import {buildWheel} from '../support/wheels.js'
import {tool} from './tool.js'

/** `acme-old` was deleted, `corp-lib` is here, `copied` came from the upstream. */
async function installation(upstream: string) {
  const directory = await tempDir()
  const opened = await openIndex(directory.path)
  for (const name of ['acme-old', 'corp-lib']) {
    const upload = await uploadOf(directory.path, await buildWheel({name, version: '1.0'}))
    const {file} = await opened.index.publish(upload, {overwrite: false})
    if (name === 'acme-old') await opened.index.remove(file)
  }
  const copy = await buildWheel({name: 'copied', version: '1.0'})
  const {body, digests} = await uploadOf(directory.path, copy)
  const about = {
    name: 'copied',
    version: '1.0',
    lastModified: new Date(),
    summary: null,
    data: {origin: 'upstream'},
  }
  await opened.index.adopt({...about, filename: copy.filename}, {body, digests})
  await opened.cache.setState(completeMark, new Date().toISOString())
  await opened[Symbol.asyncDispose]()
  const config = `[app:main]
use = egg:pypicloud
pypi.storage = file
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.fallback_base_url = ${upstream.replace('://', '://me:geheim@')}
pypi.private = inner-*
user.bob = $6$x$y
package.corp-lib.user.bob = r
`
  await writeFile(directory.join('cache.ini'), `${config}pypi.fallback = cache\n`)
  await writeFile(directory.join('mirror.ini'), `${config}pypi.fallback = mirror\n`)
  return Object.assign(directory, {run: (command: string) => tool(directory.path, command)})
}

describe('ppc explain', () => {
  it('says where a name would come from and why, without asking the upstream', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0', '1.1'])
    await using here = await installation(upstream.url)
    const explain = async (args: string) => {
      const {stdout, stderr} = await here.run(`ppc explain ${args}`)
      assert.doesNotMatch(stdout + stderr, /geheim/)
      return stdout
    }
    assert.equal(
      await explain('cache.ini Up_Only'),
      `up-only: the upstream's files, fetched, checked and stored by this server
  no file of it is here
  pypi.fallback = cache, and the upstream is ${upstream.url}/simple
`,
    )
    assert.match(
      await explain('cache.ini acme.old'),
      /^acme-old: 404\n[^]*published here and deleted on \d{4}-/,
    )
    assert.match(
      await explain('cache.ini inner.x'),
      /^inner-x: 404\n[^]*pypi\.private reserves it with inner-\*/,
    )
    assert.match(
      await explain('cache.ini corp-lib'),
      /^corp-lib: answered from what is here alone\n {2}1 file of it/,
    )
    assert.match(
      await explain('mirror.ini corp-lib'),
      /^corp-lib: what is here, mixed with the upstream's files/,
    )
    assert.match(await explain('cache.ini copied'), /fetched from the upstream/)
    const bob = JSON.parse(await explain('mirror.ini corp-lib --user bob --json')) as Record<string, unknown>
    assert.equal(bob['from'], 'both')
    const nobody = JSON.parse(await explain('mirror.ini corp-lib --user everyone --json')) as {from: string}
    assert.equal(nobody.from, 'nobody')
    assert.deepEqual(upstream.requests, [])
  })

  it('asks the upstream when it is told to, but never about a private name', async () => {
    await using upstream = await fakeUpstream()
    await upstream.addProject('up-only', ['1.0', '1.1'])
    await using here = await installation(upstream.url)
    const asked = await here.run('ppc explain cache.ini up-only --ask')
    assert.match(asked.stdout, /has 2 files of it, up to version 1\.1/)
    for (const name of ['acme-old', 'inner-x', 'corp-lib']) {
      assert.match((await here.run(`ppc explain cache.ini ${name} --ask`)).stdout, /is not asked about it/)
    }
    assert.deepEqual(upstream.requests, ['/simple/up-only/'])
  })

  it('lists the published names that are mixed with the upstream', async () => {
    await using here = await installation('http://127.0.0.1:9')
    assert.equal((await here.run('ppc explain mirror.ini --mixed')).stdout, 'corp-lib\n')
    assert.equal((await here.run('ppc explain cache.ini --mixed --json')).stdout, '{"mixed":[]}\n')
    assert.equal((await here.run('ppc explain cache.ini')).code, 2)
    assert.equal((await here.run('ppc explain cache.ini x --mixed')).code, 2)
  })
})

describe('ppc seal', () => {
  it('lists, adds and lifts seals', async () => {
    await using here = await installation('http://127.0.0.1:9')
    const {run} = here
    assert.match((await run('ppc seal list cache.ini')).stdout, /^acme-old {2}since \d{4}-\d\d-\d\d\n$/)
    assert.equal((await run('ppc seal add cache.ini Foo.Bar')).code, 0)
    assert.match((await run('ppc seal add cache.ini foo_bar')).stderr, /sealed already/)
    assert.equal((await run('ppc seal add cache.ini a/b')).code, 1)
    const refused = await run('ppc seal lift cache.ini acme-old')
    assert.equal(refused.code, 2, 'nobody is there to confirm it')
    assert.equal((await run('ppc seal lift cache.ini Acme_Old --yes')).stderr, 'no longer sealed: acme-old\n')
    assert.equal((await run('ppc seal lift cache.ini acme-old --yes')).code, 1)
    const {seals} = JSON.parse((await run('ppc seal list cache.ini --json')).stdout) as {
      seals: {name: string}[]
    }
    assert.deepEqual(
      seals.map(({name}) => name),
      ['foo-bar'],
    )
  })
})
