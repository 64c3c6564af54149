import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {closeSync, existsSync, openSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {repoRoot} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

describe('output, as operators saw it go wrong', () => {
  it('an export to a full disk ended with a stack trace', {skip: !existsSync('/dev/full')}, async () => {
    await using directory = await tempDir()
    const config = directory.join('server.ini')
    writeFileSync(
      config,
      '[app:main]\nuse = egg:pypicloud\nstorage.dir = %(here)s/packages\ndb.url = sqlite:///%(here)s/cache.db\n' +
        'pypi.auth = sql\nauth.db.url = sqlite:///%(here)s/access.db\n',
    )
    const full = openSync('/dev/full', 'w')
    try {
      const ended = spawnSync(process.execPath, [join(repoRoot, 'bin/ppc-export.js'), config], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      })
      assert.equal(ended.status, 1)
      assert.match(ended.stderr, /^ppc-export: .*no space left on device\n$/)
    } finally {
      closeSync(full)
    }
  })
})
