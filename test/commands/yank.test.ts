import assert from 'node:assert/strict'
import {cp, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

async function installation() {
  const dir = await tempDir()
  await cp(join(fixtures, 'file-storage/packages'), dir.join('a-packages'), {recursive: true})
  await writeFile(dir.join('a.ini'), sqlConfig('a'))
  await tool(dir.path, 'ppc-rebuild-cache a.ini -q')
  return dir
}

describe('ppc yank', () => {
  it('yanks a release or a file, and takes it back', async () => {
    await using dir = await installation()
    const done = await tool(dir.path, 'ppc yank a.ini Open.Lib 1.10 --reason broken')
    assert.deepEqual([done.code, done.stdout], [0, ''])
    assert.match(done.stderr, /^yanked: open_lib-1\.10-py3-none-any\.whl$/m)
    const undone = await tool(
      dir.path,
      'ppc yank a.ini open-lib open_lib-1.10-py3-none-any.whl --undo --json',
    )
    assert.deepEqual(JSON.parse(undone.stdout), {
      project: 'open-lib',
      yanked: false,
      files: ['open_lib-1.10-py3-none-any.whl'],
    })
  })

  it('says what is not there', async () => {
    await using dir = await installation()
    const version = await tool(dir.path, 'ppc yank a.ini open-lib 99')
    assert.deepEqual(
      [version.code, version.stderr.match(/open-lib has no version and no file "99"/)?.length],
      [1, 1],
    )
    const project = await tool(dir.path, 'ppc yank a.ini nowhere 1')
    assert.deepEqual(
      [project.code, project.stderr.match(/There is no project "nowhere" here/)?.length],
      [1, 1],
    )
  })
})

describe('ppc status', () => {
  it('shows and sets the status of a project', async () => {
    await using dir = await installation()
    const status = async (...words: string[]) =>
      tool(dir.path, ['ppc', 'status', 'a.ini', 'open-lib', ...words])
    assert.equal((await status()).stdout, 'open-lib is active\n')
    assert.equal((await status('archived', '--reason', 'old')).stderr, 'open-lib is archived: old\n')
    assert.equal((await status()).stdout, 'open-lib is archived: old\n')
    assert.equal((await status('odd')).code, 2)
    assert.equal((await status('active', '-q')).stderr, '')
    assert.deepEqual(JSON.parse((await status('--json')).stdout), {project: 'open-lib', status: 'active'})
  })
})
