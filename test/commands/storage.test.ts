import assert from 'node:assert/strict'
import {cp, mkdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {startFaultProxy} from '../services/fault-proxy.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

interface Report {
  readonly added: number
  readonly unchanged: number
  readonly removed: number
  readonly copied: number
  readonly skipped: number
  readonly failed: readonly {filename: string; reason: string}[]
}
const json = (text: string) => JSON.parse(text) as Report

/** A folder with the files that pypicloud wrote, configured by `old.ini`; `new.ini` has an empty storage. */
async function installation() {
  const dir = await tempDir()
  await cp(join(fixtures, 'file-storage/packages'), dir.join('old-packages'), {recursive: true})
  await writeFile(dir.join('old.ini'), sqlConfig('old'))
  await writeFile(dir.join('new.ini'), sqlConfig('new'))
  return dir
}

describe('ppc-rebuild-cache', () => {
  it('says nothing with --quiet, one line with --json, and a summary without them', async () => {
    await using dir = await installation()
    const quiet = await tool(dir.path, 'ppc-rebuild-cache old.ini --quiet')
    assert.deepEqual(quiet, {code: 0, stdout: '', stderr: ''})
    const {code, stdout, stderr} = await tool(dir.path, 'ppc-rebuild-cache old.ini --json')
    assert.deepEqual({code, stderr}, {code: 0, stderr: ''})
    assert.match(stdout, /^[^\n]+\n$/)
    assert.equal(json(stdout).unchanged, 14)
    const told = await tool(dir.path, 'ppc-rebuild-cache old.ini')
    assert.equal(told.stdout, '')
    assert.match(told.stderr, /0 added, 0 updated, 0 removed; 14 unchanged/)
  })
  it('with --dry-run --exit-code tells a difference by the exit code, and changes nothing', async () => {
    await using dir = await installation()
    const line = 'ppc-rebuild-cache old.ini --dry-run --exit-code'
    for (let time = 0; time < 2; time += 1) {
      const {code, stderr} = await tool(dir.path, line)
      assert.equal(code, 4)
      assert.match(stderr, /would be added: eggy-1\.0-py2\.7\.egg\n/)
    }
    await tool(dir.path, 'ppc-rebuild-cache old.ini -q')
    assert.equal((await tool(dir.path, line)).code, 0)
  })
  it('speaks of the bucket alone where no region is set', needs('moto'), async () => {
    await using moto = await startService('moto')
    await using proxy = await startFaultProxy(moto.url)
    await using dir = await installation()
    const config = sqlConfig('new').replace(
      'pypi.storage = file',
      `pypi.storage = s3\nstorage.bucket = packages`,
    )
    const keys = 'storage.aws_access_key_id = AKIDEXAMPLE\nstorage.aws_secret_access_key = secret\n'
    await writeFile(dir.join('bucket.ini'), `${config}storage.endpoint_url = ${proxy.url}\n${keys}`)
    const rebuilt = await tool(dir.path, 'ppc-rebuild-cache bucket.ini --quiet')
    assert.deepEqual(rebuilt, {code: 0, stdout: '', stderr: ''})
    proxy.faults = [{method: 'GET', path: 'list-type', fault: {kind: 'answer', status: 400}}]
    const refused = await tool(dir.path, 'ppc-rebuild-cache bucket.ini --quiet')
    assert.match(
      refused.stderr,
      /^ppc-rebuild-cache: s3:\/\/packages\/ can't be listed: the service answers 400 and does not say why\n$/,
    )
  })
  it('reports a stray file and goes on', async () => {
    await using dir = await installation()
    await mkdir(dir.join('old-packages/stray/1.0'), {recursive: true})
    await writeFile(dir.join('old-packages/stray/1.0/notes.unknown'), 'x')
    const {code, stderr} = await tool(dir.path, 'ppc-rebuild-cache old.ini')
    assert.equal(code, 0)
    assert.match(stderr, /14 added|15 added/)
  })
})

describe('ppc-migrate', () => {
  it('copies everything once, says how much, and tells the same by --dry-run before', async () => {
    await using dir = await installation()
    const dry = await tool(dir.path, 'ppc-migrate old.ini new.ini --dry-run --json')
    const wet = await tool(dir.path, 'ppc-migrate old.ini new.ini --json')
    assert.equal(json(dry.stdout).copied, 14)
    assert.equal(json(wet.stdout).copied, 14)
    const again = await tool(dir.path, 'ppc-migrate old.ini new.ini')
    assert.equal(again.code, 0)
    assert.equal(again.stdout, '')
    assert.match(again.stderr, /Copied 0 files .*, 14 there already, 0 failed\.\n$/)
    assert.deepEqual(await tool(dir.path, 'ppc-migrate old.ini new.ini -q'), {
      code: 0,
      stdout: '',
      stderr: '',
    })
  })
  it('exits with 3 and names what failed, when the rest was copied', async () => {
    await using dir = await installation()
    await tool(dir.path, 'ppc-migrate old.ini new.ini -q')
    const path = 'eggy/1.0/eggy-1.0-py2.7.egg'
    await writeFile(dir.join('new-packages', path), 'somebody else put other bytes here')
    await rm(dir.join('new-packages/adminonly'), {recursive: true})
    const {code, stdout, stderr} = await tool(dir.path, 'ppc-migrate old.ini new.ini --quiet')
    assert.equal(code, 3)
    assert.equal(stdout, '')
    assert.match(stderr, /^failed: eggy-1\.0-py2\.7\.egg: [^\n]+\n$/)
    assert.equal(await readFile(dir.join('new-packages', path), 'utf8'), 'somebody else put other bytes here')
    const {failed, skipped} = json((await tool(dir.path, 'ppc-migrate old.ini new.ini --json')).stdout)
    assert.deepEqual([failed.length, skipped], [1, 13])
  })
  it('refuses to copy a storage onto itself', async () => {
    await using dir = await installation()
    const {code, stderr} = await tool(dir.path, 'ppc-migrate old.ini old.ini')
    assert.equal(code, 2)
    assert.match(stderr, /^ppc-migrate: [^\n]*same place/)
  })
  it('says in one sentence what is wrong with the config of a storage', async () => {
    await using dir = await installation()
    const other = async (settings: string) => {
      const config = sqlConfig('other').replace('pypi.storage = file', `pypi.storage = ${settings}`)
      await writeFile(dir.join('other.ini'), config)
      return tool(dir.path, 'ppc-migrate old.ini other.ini -q')
    }
    const unknown = await other('s4')
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /^ppc-migrate: [^\n]*found "s4", expected one of file, s3, [^\n]*\n$/)
    const keys = 'storage.aws_access_key_id = a\nstorage.aws_secret_access_key = b'
    const nobucket = await other(`s3\n${keys}`)
    assert.equal(nobucket.code, 2)
    assert.match(nobucket.stderr, /^ppc-migrate: [^\n]*storage\.bucket[^\n]*\n$/)
    const nobody = `storage.bucket = b\nstorage.region_name = us-east-1\nstorage.endpoint_url = http://127.0.0.1:9`
    const unreachable = await other(`s3\n${keys}\n${nobody}`)
    assert.equal(unreachable.code, 75)
    assert.match(
      unreachable.stderr,
      /^ppc-migrate: [^\n]*nobody listens there[^\n]*storage\.endpoint_url[^\n]*\n$/,
    )
  })
})
