import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {closeSync, existsSync, mkdirSync, openSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {repoRoot} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

const onFullDisk = {skip: !existsSync('/dev/full')}

describe('output, as operators saw it go wrong', () => {
  it(
    'an export, a report as JSON or a help text to a full disk ended with a stack trace, or as if all were well',
    onFullDisk,
    async () => {
      await using directory = await tempDir()
      const config = directory.join('server.ini')
      writeFileSync(
        config,
        '[app:main]\nuse = egg:pypicloud\nstorage.dir = %(here)s/packages\ndb.url = sqlite:///%(here)s/cache.db\n' +
          'pypi.auth = sql\nauth.db.url = sqlite:///%(here)s/access.db\n',
      )
      const full = openSync('/dev/full', 'w')
      try {
        for (const [name, ...args] of [
          ['ppc-export', config],
          ['ppc-rebuild-cache', config, '--json'],
          ['ppc', '--help'],
          ['ppc', '--version'],
          ['ppc', 'completion', 'bash'],
          ['ppc-make-config', '-h'],
        ] as const) {
          const ended = spawnSync(process.execPath, [join(repoRoot, `bin/${name}.js`), ...args], {
            stdio: ['ignore', full, 'pipe'],
            encoding: 'utf8',
          })
          assert.equal(ended.status, 1)
          assert.match(
            ended.stderr,
            new RegExp(`^${name}[a-z ]*: can't write "/dev/stdout": no space left on device\\n$`),
          )
        }
      } finally {
        closeSync(full)
      }
    },
  )

  it(
    'a migration whose report did not fit on the disk did not say what it had done',
    onFullDisk,
    async () => {
      await using directory = await tempDir()
      for (const name of ['old', 'new']) writeFileSync(directory.join(`${name}.ini`), sqlConfig(name))
      const {code, stderr} = await tool(directory.path, 'ppc-migrate old.ini new.ini --report /dev/full')
      assert.match(stderr, /^Copied 0 files .*\n/)
      assert.equal(code, 1)
    },
  )

  it('names of files moved the cursor, renamed the window and began lines of their own', async () => {
    await using directory = await tempDir()
    for (const name of ['old', 'new']) writeFileSync(directory.join(`${name}.ini`), sqlConfig(name))
    for (const name of ['\u001b[2J', 'a\nfailed: b', '\u202egpj']) {
      mkdirSync(directory.join('old-packages', name, '1.0'), {recursive: true})
      writeFileSync(directory.join('old-packages', name, '1.0', `${name}-1.0.zip`), 'x')
    }
    for (const line of [
      'ppc-migrate old.ini new.ini --dry-run',
      'ppc verify old.ini',
      'ppc-rebuild-cache old.ini',
    ]) {
      const {stderr} = await tool(directory.path, line)
      assert.doesNotMatch(stderr, /[^\n -~]|^failed: b/m)
    }
  })
})
