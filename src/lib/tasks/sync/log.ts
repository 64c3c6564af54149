import type {Report} from './messages.js'

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

/** One line of JSON for each thing that was heard. */
export class SyncLog {
  constructor(
    private readonly out: NodeJS.WritableStream,
    private readonly requestId?: string,
  ) {}

  report({outcome, ...more}: Report): void {
    const line = {
      time: new Date().toISOString(),
      level: levels[outcome],
      message: outcome,
      ...(this.requestId !== undefined && {requestId: this.requestId}),
      ...more,
    }
    this.out.write(`${JSON.stringify(line)}\n`)
  }
}
