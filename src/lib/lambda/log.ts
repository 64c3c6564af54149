import type {Report} from '../tasks/sync/messages.js'

type Level = 'info' | 'warn' | 'error'

const levels: Readonly<Record<Report['outcome'], Level>> = {
  added: 'info',
  updated: 'info',
  removed: 'info',
  unchanged: 'info',
  ignored: 'info',
  other: 'info',
  unreadable: 'error',
  postponed: 'warn',
  failed: 'error',
}

/** One line of JSON for each thing that was heard, on stdout, where CloudWatch and its like take them. */
export class SyncLog {
  constructor(private readonly requestId?: string) {}

  report(report: Report): void {
    this.#write(levels[report.outcome], {message: report.outcome, ...report})
  }

  #write(
    level: Level,
    {message, ...more}: {readonly message: string; readonly [key: string]: unknown},
  ): void {
    const line = {
      time: new Date().toISOString(),
      level,
      message,
      ...(this.requestId !== undefined && {requestId: this.requestId}),
      ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== 'outcome')),
    }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
}
