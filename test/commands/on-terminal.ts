import assert from 'node:assert/strict'
import {join} from 'node:path'
import {stripVTControlCharacters} from 'node:util'
import {program} from '../support/needs.js'
import {repoRoot} from '../support/paths.js'
import {runProgram} from '../support/run.js'
import {binPath} from './tool.js'

export type Step = readonly [wait: string, send: string]

/** Runs a tool on a terminal and types when it asks. */
export async function onTerminal(
  cwd: string,
  line: string,
  steps: readonly Step[],
  more: {stdout?: string; size?: [number, number]} = {},
) {
  const [name = '', ...args] = line.split(' ')
  const job = {
    argv: [process.execPath, binPath(name), ...args],
    cwd,
    env: {NO_COLOR: '1'},
    steps: steps.map(([wait, send]) => ({wait, send})),
    stdout: more.stdout ?? null,
    size: more.size ?? [25, 80],
  }
  const driver = join(repoRoot, 'test/commands/on-terminal.py')
  const ran = await runProgram(program('python3'), [driver, JSON.stringify(job)], {cwd})
  assert.equal(ran.code, 0, ran.stderr)
  const {screen, code} = JSON.parse(ran.stdout) as {screen: string; code: number}
  return {screen: stripVTControlCharacters(screen), code}
}
