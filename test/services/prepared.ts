import {execFile} from 'node:child_process'
import {createHash, randomUUID} from 'node:crypto'
import {existsSync, realpathSync, statSync} from 'node:fs'
import {mkdir, rename, rm} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {promisify} from 'node:util'
import {toolsDirectory} from '../support/needs.js'

const run = promisify(execFile)

/**
 * Fills the empty `data` by `command`, whose program is of the same package as `server`; the next time, in whichever process,
 * by a copy of what came of it, which takes a tenth of the time. What is copied was made by the same program and user.
 */
export async function prepareData(data: string, server: string, command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command
  const binary = realpathSync(server)
  const {mtimeMs, size} = statSync(binary)
  const words = command.map(word => word.replaceAll(data, 'DATA'))
  const maker = JSON.stringify([binary, mtimeMs, size, process.getuid?.(), words])
  const kept = join(toolsDirectory, 'prepared', createHash('sha256').update(maker).digest('hex').slice(0, 16))
  if (existsSync(kept)) {
    await copy(kept, data)
    return
  }
  await run(program, args, {cwd: dirname(data)})
  await keep(data, kept).catch(() => undefined) // who may not write there makes it anew each time
}

/** Of several at once one is the first; no two are mixed, because a directory only takes the place of an empty one. */
async function keep(data: string, kept: string): Promise<void> {
  const unfinished = `${kept}-${randomUUID()}`
  await mkdir(unfinished, {recursive: true})
  await copy(data, unfinished)
  await rename(unfinished, kept).catch(() => rm(unfinished, {recursive: true}))
}

/** With owners, rights and holes. */
const copy = (from: string, to: string) => run('cp', ['-a', '--sparse=always', `${from}/.`, to])
