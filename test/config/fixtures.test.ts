import assert from 'node:assert/strict'
import {readdir, readFile} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {describe, it} from 'node:test'
import {formatProblem, readConfig} from '../../src/lib/config/config.js'
import {fixtures} from '../support/paths.js'

/** What these files are warned about; nothing else is. */
const expected = /deprecated|not honoured|without further dots|has no effect|%\(http_port\)s/

describe("pypicloud's own config files", () => {
  it('are all read, without a word about keys that pypicloud knows', async () => {
    const names = await readdir(fixtures, {recursive: true})
    let count = 0
    for (const path of names.filter(name => name.endsWith('.ini')).map(name => join(fixtures, name))) {
      if (!(await readFile(path, 'utf8')).startsWith('[app:main]')) continue
      const {warnings, core} = await readConfig(path, {environment: {}})
      const odd = warnings.filter(({message}) => !expected.test(message)).map(formatProblem)
      assert.deepEqual(odd, [], relative(fixtures, path))
      assert.notEqual(core.defaultRead.length, 0)
      count += 1
    }
    assert.ok(count > 30, `${count} files`)
  })
})
