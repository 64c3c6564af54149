import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync} from 'node:fs'
import {cp, mkdir, readdir, readFile, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import type {MigrateReport} from '../../src/lib/tasks/migrate/migrate.js'
import {allDigestsAreRight, packages} from '../tasks/migrate-places.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {onTerminal} from './on-terminal.js'
import {binPath, sqlConfig, tool} from './tool.js'

async function installation() {
  const dir = await tempDir()
  await cp(packages, dir.join('old-packages'), {recursive: true})
  for (const name of ['old', 'new']) await writeFile(dir.join(`${name}.ini`), sqlConfig(name))
  return dir
}

async function withSurplus() {
  const dir = await installation()
  await mkdir(dir.join('new-packages/gone/1.0'), {recursive: true})
  await writeFile(dir.join('new-packages/gone/1.0/gone-1.0.zip'), 'x')
  await utimes(dir.join('new-packages/gone/1.0/gone-1.0.zip'), 1_600_000_000, 1_600_000_000)
  return dir
}

describe('ppc-migrate that is killed', () => {
  it('leaves nothing half copied and no lock that lasts, and goes on where it was', async () => {
    await using dir = await installation()
    const extra = 30
    for (let index = 0; index < extra; index += 1) {
      await cp(join(packages, 'eggy/1.0'), dir.join(`old-packages/copy-${index}/1.0`), {recursive: true})
    }
    for (let round = 0; round < 4; round += 1) {
      const args = [
        binPath('ppc-migrate'),
        'old.ini',
        'new.ini',
        '--bandwidth',
        '10kB/s',
        '--concurrency',
        '2',
      ]
      const child = spawn(process.execPath, args, {cwd: dir.path, stdio: 'ignore'})
      const ended = once(child, 'exit')
      await sleep(500 + Math.random() * 900)
      child.kill('SIGKILL')
      await ended
    }
    const done = await tool(dir.path, 'ppc-migrate old.ini new.ini --json')
    assert.equal(done.code, 0, done.stdout)
    const report = JSON.parse(done.stdout) as {copied: number; skipped: number}
    assert.equal(report.copied + report.skipped, 14 + extra)
    assert.equal(await allDigestsAreRight(dir.join('new-packages')), 14 + extra)
  })
})

describe('ppc-migrate that is interrupted', () => {
  it('writes in its report what it has done until then', async () => {
    for (const [signal, end] of [
      ['SIGINT', [130, null]],
      ['SIGTERM', [143, null]],
      ['SIGHUP', [null, 'SIGHUP']],
    ] as const) {
      await using dir = await installation()
      const args = [
        'old.ini',
        'new.ini',
        '--bandwidth',
        '2kB/s',
        '--concurrency',
        '1',
        '--report',
        'report.json',
      ]
      const child = spawn(process.execPath, [binPath('ppc-migrate'), ...args], {cwd: dir.path})
      const ended = once(child, 'exit')
      const story = text(child.stderr)
      const copied = () => (existsSync(dir.join('new-packages')) ? readdirSync(dir.join('new-packages')) : [])
      while (!copied().some(name => /^[a-z]/.test(name) && !name.endsWith('.meta'))) await sleep(10)
      child.kill(signal)
      assert.deepEqual(await ended, end)
      assert.match(await story, /^Copied \d+ files? .*interrupted\.?\nppc-migrate: interrupted$/ms)
      const report = JSON.parse(await readFile(dir.join('report.json'), 'utf8')) as MigrateReport
      assert.equal(report.interrupted, true)
      assert.ok(report.copied < 14)
      const rest = await tool(dir.path, 'ppc-migrate old.ini new.ini --json')
      const {skipped, interrupted} = JSON.parse(rest.stdout) as MigrateReport
      assert.equal(interrupted, false)
      assert.ok(skipped >= report.copied)
    }
  })
})

describe('ppc-migrate --update-cache', () => {
  it('fills the cache as a rebuild would, and says that it is complete', async () => {
    await using dir = await installation()
    const {code, stderr} = await tool(dir.path, 'ppc-migrate old.ini new.ini --update-cache')
    assert.equal(code, 0, stderr)
    assert.match(stderr, /The cache is complete\.\n$/)
    const rebuilt = await tool(dir.path, 'ppc-rebuild-cache new.ini --dry-run --exit-code --json')
    assert.equal(rebuilt.code, 0, rebuilt.stdout)
    assert.equal((JSON.parse(rebuilt.stdout) as {unchanged: number}).unchanged, 14)
  })

  it('takes the rows of what a mirror removes', async () => {
    await using dir = await withSurplus()
    await tool(dir.path, 'ppc-rebuild-cache new.ini -q')
    const line = 'ppc-migrate old.ini new.ini --update-cache --strategy mirror --yes -q'
    assert.deepEqual(await tool(dir.path, line), {code: 0, stdout: '', stderr: ''})
    assert.equal((await tool(dir.path, 'ppc-rebuild-cache new.ini --dry-run --exit-code -q')).code, 0)
  })
})

describe('ppc-migrate --strategy mirror', () => {
  it('needs --yes without a terminal, but not to say what it would do', async () => {
    await using dir = await withSurplus()
    const refused = await tool(dir.path, 'ppc-migrate old.ini new.ini --strategy mirror')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /^ppc-migrate: --strategy mirror removes files[^\n]*--yes\n/)
    const dry = await tool(dir.path, 'ppc-migrate old.ini new.ini --strategy mirror --dry-run')
    assert.match(
      dry.stderr,
      /^would be removed: gone-1\.0\.zip\nWould copy 14 files .* 1 to be removed there/,
    )
  })

  it('asks on a terminal, by the number where it is much', needs('python3'), async () => {
    await using dir = await withSurplus()
    const line = 'ppc-migrate old.ini new.ini --strategy mirror'
    const no = await onTerminal(dir.path, line, [['Type the number of files', 'no\r']])
    assert.equal(no.code, 0, no.screen)
    assert.match(no.screen, /To be removed from .*new-packages: gone-1\.0\.zip/)
    assert.match(no.screen, /Nothing was changed\./)
    const yes = await onTerminal(dir.path, line, [['Type the number of files', '1\r']])
    assert.match(yes.screen, /14 files .* 1 removed there/s)
    assert.match(yes.screen, /gone has no files any more; its name stays reserved/)
  })
})

describe('ppc-migrate', () => {
  it('verifies with exit code 4, and writes its report to a file', async () => {
    await using dir = await installation()
    const nameless = await tool(dir.path, ['ppc-migrate', 'old.ini', 'new.ini', '--report', ''])
    assert.deepEqual([nameless.code, existsSync(dir.join('new-packages/eggy'))], [2, false])
    const {code, stderr} = await tool(dir.path, 'ppc-migrate old.ini new.ini --verify-only --report r.json')
    assert.equal(code, 4)
    assert.match(stderr, /failed: eggy-1\.0-py2\.7\.egg: the target lacks it\n/)
    const report = JSON.parse(await readFile(dir.join('r.json'), 'utf8')) as {failedCount: number}
    assert.equal(report.failedCount, 14)
    const refused = await tool(dir.path, 'ppc-migrate old.ini new.ini --report missing/r.json')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /^ppc-migrate: "missing\/r\.json" can't be written[^\n]*\n$/)
    await assert.rejects(readdir(dir.join('new-packages/eggy')), {code: 'ENOENT'})
  })

  it('refuses a rate or time that it does not understand', async () => {
    await using dir = await installation()
    for (const option of [
      '--bandwidth=fast',
      '--since=yesterday',
      '--since=2026-02-30',
      '--since=1M',
      '--since=99999999w',
    ]) {
      const {code, stderr} = await tool(dir.path, `ppc-migrate old.ini new.ini ${option}`)
      assert.equal(code, 2)
      assert.match(stderr, /^ppc-migrate: --\w+: expected /)
    }
  })
})
