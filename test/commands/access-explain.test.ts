import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

describe('ppc access explain', () => {
  it('prints what it decides and why, for people and for scripts', async () => {
    await using directory = await tempDir()
    const rules = 'user.bob = x\ngroup.devs = bob\npackage.tool.group.devs = r\n'
    const config = sqlConfig('x').replace(/pypi\.auth = sql\nauth\.db\.url.*\n/, rules)
    await writeFile(directory.join('server.ini'), config)
    const {code, stdout} = await tool(directory.path, 'ppc access explain server.ini bob Tool')
    assert.equal(code, 0)
    assert.equal(
      stdout,
      `bob is no administrator, and in the group devs
tool has rules, so that pypi.default_read and pypi.default_write do not count for it
  group devs  read
read       yes  the rule of group devs
write      no   none of its rules gives it to anybody
overwrite  no   whoever does it must be allowed to write
delete     no   whoever does it must be allowed to write
`,
    )
    const json = await tool(directory.path, 'ppc access explain server.ini ghost new --json')
    const {project, verdicts} = JSON.parse(json.stdout) as {project: string; verdicts: {allowed: boolean}[]}
    assert.equal(project, 'new')
    assert.deepEqual(
      verdicts.map(({allowed}) => allowed),
      [false, false, false, false],
    )
  })
})
