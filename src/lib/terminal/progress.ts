/** One line on a terminal that is drawn over while a task runs. */
export interface Progress {
  /** How far it is; `total` where it is known. Cheap: draws ten times a second at most. */
  update(done: number, total?: number): void
  /** A line of the story, above it. */
  note(message: string): void
  stop(): void
}

const silent: Progress = {
  update: () => undefined,
  note: message => void process.stderr.write(`${message}\n`),
  stop: () => undefined,
}
const drawEveryMilliseconds = 100

/**
 * Shows `label 1,204 of 5,000 files (310/s)` on stderr, and nothing where that is no terminal: logs and cron mails
 * stay readable. ora costs 40 ms to load, so only then.
 */
export async function startProgress(label: string, unit: string, wanted: boolean): Promise<Progress> {
  // A terminal that does not tell its size (an expect script's) has 0 columns: ora would draw lines without end.
  if (!wanted || !process.stderr.isTTY || process.stderr.columns < 1) return silent
  const {default: ora} = await import('ora')
  // Without discardStdin: false Ctrl-C would go to ora instead of to us.
  const spinner = ora({text: label, stream: process.stderr, discardStdin: false}).start()
  const start = performance.now()
  let drawn = 0
  return {
    update(done, total) {
      const now = performance.now()
      if (now - drawn < drawEveryMilliseconds && done !== total) return
      drawn = now
      const rate = Math.round(done / Math.max(0.001, (now - start) / 1000))
      const of = total === undefined ? '' : ` of ${number(total)}`
      spinner.text = `${label} ${number(done)}${of} ${unit} (${number(rate)}/s)`
    },
    note(message) {
      spinner.clear()
      process.stderr.write(`${message}\n`)
      spinner.render()
    },
    stop: () => void spinner.stop(),
  }
}

/** `12,345`, whatever the locale: messages are English. */
export const number = (value: number): string => value.toLocaleString('en-US')
/** `1 file`, `2 files`. */
export const count = (value: number, noun: string): string =>
  `${number(value)} ${noun}${value === 1 ? '' : 's'}`

/** `1.5 MB`, in powers of ten. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? ''}`
}
