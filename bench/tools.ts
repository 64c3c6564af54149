import {spawn, execFile} from 'node:child_process'
import {readFile, writeFile} from 'node:fs/promises'
import {promisify} from 'node:util'
import {binPath} from '../test/commands/tool.js'
import {tempDir} from '../test/support/temp.js'
import {fillStorage} from './data.js'
import {median, number, timed, type Row} from './report.js'

const run = promisify(execFile)

/** Runs `ppc-NAME`; a failure shows what it printed. */
export const runTool = (name: string, args: readonly string[]) =>
  run(process.execPath, [launcher(name), ...args], {maxBuffer: 1e9})

export const launcher = (name: string): string => binPath(`ppc-${name}`)

/** Runs a program and returns the most memory that it and its children held, in MB, and its wall time in seconds. */
export async function peak(
  command: string,
  args: readonly string[],
): Promise<{megabytes: number; seconds: number}> {
  const start = process.hrtime.bigint()
  const child = spawn(command, args, {stdio: ['ignore', 'ignore', 'inherit']})
  let megabytes = 0
  const timer = setInterval(() => {
    readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').then(
      status => (megabytes = Math.max(megabytes, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)),
      () => undefined,
    )
  }, 20)
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  clearInterval(timer)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(code)}`)
  return {megabytes, seconds: Number(process.hrtime.bigint() - start) / 1e9}
}

/** A config with these settings. */
export const iniWith = (settings: Record<string, string>) =>
  `[app:main]\nuse = egg:pypicloud\nsession.validate_key = k\n${Object.entries(settings)
    .map(([key, value]) => `${key} = ${value}`)
    .join('\n')}\n`

async function measureMigrate(): Promise<Row> {
  await using temp = await tempDir()
  await fillStorage(temp.join('a'), 200, 10)
  await writeFile(
    temp.join('a.ini'),
    iniWith({'storage.dir': '%(here)s/a', 'db.url': 'sqlite:///%(here)s/a.db'}),
  )
  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round < 3; round += 1) {
    await writeFile(
      temp.join('b.ini'),
      iniWith({'storage.dir': `%(here)s/b${round}`, 'db.url': 'sqlite:///%(here)s/b.db'}),
    )
    ours.push(await timed(() => runTool('migrate', [temp.join('a.ini'), temp.join('b.ini'), '--quiet'])))
    floor.push(await timed(() => run('cp', ['-a', temp.join('a'), temp.join(`c${round}`)])))
  }
  return {
    work: 'migrate 2,000 files between directories, each synced and verified',
    measured: `${number(median(ours))} s`,
    floor: `cp -a, unsynced ${number(median(floor))} s`,
    ratio: number(median(ours) / median(floor)),
    target: '',
  }
}

async function measureHelp(): Promise<Row> {
  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round < 15; round += 1) {
    floor.push(await timed(() => run(process.execPath, ['-e', '0'])))
    ours.push(await timed(() => runTool('migrate', ['--help'])))
  }
  return {
    work: '`ppc-migrate --help`',
    measured: `${number(median(ours) * 1000)} ms`,
    floor: `\`node -e 0\` ${number(median(floor) * 1000)} ms`,
    ratio: number(median(ours) / median(floor)),
    target: '≤ 2',
  }
}

export async function measureTools(): Promise<Row[]> {
  return [await measureMigrate(), await measureHelp()]
}
