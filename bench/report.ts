import {execFileSync} from 'node:child_process'
import {cpus, totalmem} from 'node:os'

/** One line of the report: what was measured, what it was measured against in the same run, and the ratio that counts. */
export interface Row {
  readonly work: string
  readonly measured: string
  readonly floor: string
  /** Measured over floor, or what the row is judged by. */
  readonly ratio: string
  /** What the project has set itself. */
  readonly target: string
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** `12,345` or `0.12`. */
export const number = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(3)).toString()

/** Runs `work` and returns its wall time in seconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - start) / 1e9
}

export function formatReport(rows: readonly Row[]): string {
  const version = (command: string, ...args: string[]) => {
    try {
      return (
        execFileSync(command, args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']}).split('\n')[0] ??
        ''
      )
    } catch {
      return 'absent'
    }
  }
  return [
    `Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ` +
      `${Math.round(totalmem() / 1e9)} GB, ${version('sqlite3', '--version').split(' ')[0] ?? ''} sqlite3.`,
    '',
    '| work | measured | floor, same run | ratio | to reach |',
    '|---|---|---|---|---|',
    ...rows.map(row => `| ${row.work} | ${row.measured} | ${row.floor} | ${row.ratio} | ${row.target} |`),
    '',
  ].join('\n')
}
