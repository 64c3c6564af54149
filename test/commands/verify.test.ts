import assert from 'node:assert/strict'
import {cp, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

describe('ppc verify', () => {
  it('exits with 0 when all is well, with 4 and a line for each finding when not, and mends by --repair', async () => {
    await using dir = await tempDir()
    await cp(join(fixtures, 'file-storage/packages'), dir.join('a-packages'), {recursive: true})
    await writeFile(dir.join('a.ini'), sqlConfig('a'))
    await tool(dir.path, 'ppc-rebuild-cache a.ini -q')
    const fine = await tool(dir.path, 'ppc verify a.ini')
    assert.deepEqual([fine.code, fine.stdout], [0, ''])
    assert.match(fine.stderr, /^14 files, [\d.]+ kB read: all is well \([\d.]+ s\)\.\n$/)
    await rm(dir.join('a-packages/secret-lib'), {recursive: true})
    await writeFile(dir.join('a-packages/README'), 'x')
    const found = await tool(dir.path, 'ppc verify a.ini --quick')
    assert.equal(found.code, 4)
    assert.match(
      found.stderr,
      /^missing: secret-lib\/0\.1\/secret-lib-0\.1\.tar\.gz is in the cache and not/m,
    )
    assert.match(found.stderr, /^stray: README is not at project\/version\/file$/m)
    const mended = await tool(dir.path, 'ppc verify a.ini --repair --json')
    assert.deepEqual([mended.code, mended.stderr], [4, '']) // the stray file stays
    const {counts, open} = JSON.parse(mended.stdout) as {counts: Record<string, number>; open: number}
    assert.deepEqual([counts['missing'], counts['stray'], open], [1, 1, 1])
    await rm(dir.join('a-packages/README'))
    assert.deepEqual(await tool(dir.path, 'ppc verify a.ini -q'), {code: 0, stdout: '', stderr: ''})
  })
})
