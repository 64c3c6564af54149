import assert from 'node:assert/strict'
import {readFileSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {repoRoot} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {packageJson, tool} from './tool.js'

const bins = Object.keys(packageJson.bin)
const commands = readdirSync(join(repoRoot, 'src/commands'), {recursive: true, encoding: 'utf8'})
  .filter(path => path.endsWith('.ts'))
  .map(path => path.slice(0, -'.ts'.length).replaceAll('/', ' '))

describe('Every bin', () => {
  for (const bin of bins) {
    it(`${bin} --help shows how it is called, an example and nothing on stderr`, async () => {
      await using dir = await tempDir()
      const {code, stdout, stderr} = await tool(dir.path, `${bin} --help`)
      assert.equal(code, 0)
      assert.equal(stderr, '')
      assert.match(stdout, new RegExp(`USAGE\n  \\$ ${bin}( |\n)`))
      if (bin !== 'ppc') assert.match(stdout, /EXAMPLES/)
      assert.deepEqual(
        stdout.split('\n').filter(line => line.length > 80 && !/^ {2}[$a-z].*\$/.test(line)),
        [],
      )
      assert.equal((await tool(dir.path, `${bin} -h`)).stdout, stdout)
    })
    it(`${bin} --version names the package`, async () => {
      await using dir = await tempDir()
      const {code, stdout} = await tool(dir.path, `${bin} --version`)
      assert.equal(code, 0)
      assert.equal(stdout, `${packageJson.name} ${packageJson.version}\n`)
    })
    it(`${bin} with an option that does not exist exits with 2 and without a stack`, async () => {
      await using dir = await tempDir()
      const {code, stdout, stderr} = await tool(dir.path, `${bin} --nonsense`)
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, new RegExp(`^${bin}: [^\n]*--nonsense`))
      assert.doesNotMatch(stderr, /^ +at /m)
    })
  }
})

describe('The commands, the bins and the README', () => {
  const readme = readFileSync(join(repoRoot, 'README.md'), 'utf8')
  it('tell of the same tools', () => {
    const own = bins.filter(bin => bin !== 'ppc').map(bin => bin.replace(/^(?:ppc|pypicloud)-/, ''))
    for (const command of new Set(own)) assert.ok(commands.includes(command), `no src/commands/${command}.ts`)
    for (const command of commands) {
      assert.ok(
        readme.includes(own.includes(command) ? `\`ppc-${command}` : `\`ppc ${command}`),
        `README.md does not tell of ${command}`,
      )
    }
  })
  it('are all reached by ppc', async () => {
    await using dir = await tempDir()
    const {stdout: root} = await tool(dir.path, 'ppc --help')
    for (const command of commands) {
      assert.match(root, new RegExp(`^  ${command.split(' ')[0] ?? ''} `, 'm'))
      const {code, stdout} = await tool(dir.path, `ppc ${command} --help`)
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`\\$ ppc ${command}( |\n)`))
    }
  })
  it('tell of every exit code and error code', () => {
    const sources = readdirSync(join(repoRoot, 'src'), {recursive: true, encoding: 'utf8'})
      .filter(path => path.endsWith('.ts'))
      .map(path => readFileSync(join(repoRoot, 'src', path), 'utf8'))
      .join('\n')
    const codes = new Set(Array.from(sources.matchAll(/code(?::| =) '(PPC_\w+)'/g), ([, code]) => code ?? ''))
    assert.ok(codes.size > 10)
    for (const code of codes) assert.ok(readme.includes(`\`${code}\``), `README.md does not tell of ${code}`)
  })
})

describe('ppc', () => {
  it('alone, and a group of commands alone, show what there is', async () => {
    await using dir = await tempDir()
    assert.equal((await tool(dir.path, ['ppc'])).stdout, (await tool(dir.path, 'ppc --help')).stdout)
    assert.match((await tool(dir.path, 'ppc user')).stdout, /user create/)
    assert.match((await tool(dir.path, 'ppc help migrate')).stdout, /\$ ppc migrate OLD NEW/)
  })
  it('refuses a command that does not exist, with or without --help, and names those that do', async () => {
    await using dir = await tempDir()
    for (const line of ['ppc migarte', 'ppc migarte --help', 'ppc user crate x']) {
      const {code, stdout, stderr} = await tool(dir.path, line)
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /there is no command "(migarte|user crate)"\nThere are: .*(migrate|user create)/)
    }
  })
  it('takes options before and after the arguments, as the bin of the same command does', async () => {
    await using dir = await tempDir()
    const answers = await Promise.all(
      [
        'ppc migrate --quiet a.ini b.ini',
        'ppc-migrate a.ini --quiet b.ini',
        'ppc-migrate a.ini b.ini -q',
      ].map(line => tool(dir.path, line)),
    )
    for (const {code, stderr} of answers) {
      assert.equal(code, 2)
      assert.match(stderr, /^ppc[ -]migrate: [^\n]*a\.ini[^\n]*\n$/)
    }
  })
  it('reports an error as one JSON document where --json is known', async () => {
    await using dir = await tempDir()
    const {code, stdout, stderr} = await tool(dir.path, 'ppc-rebuild-cache nowhere.ini --json')
    assert.equal(code, 2)
    assert.equal(stderr, '')
    const {error} = JSON.parse(stdout) as {error: {code: string; message: string}}
    assert.equal(error.code, 'PPC_CONFIG')
    assert.match(error.message, /nowhere\.ini/)
  })
})

describe('ppc completion', () => {
  it('prints a script for each shell, and refuses others', async () => {
    await using dir = await tempDir()
    for (const shell of ['bash', 'zsh', 'fish']) {
      const {code, stdout} = await tool(dir.path, `ppc completion ${shell}`)
      assert.equal(code, 0)
      for (const word of ['rebuild-cache', 'dry-run', 'pypicloud-gen-password'])
        assert.ok(stdout.includes(word))
    }
    assert.equal((await tool(dir.path, 'ppc completion tcsh')).code, 2)
  })
})
