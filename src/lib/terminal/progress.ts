/** One line on a terminal that is drawn over while a task runs. */
export interface Progress {
  /** How far it is. Cheap: draws ten times a second at most. Another label begins anew. */
  update(done: number, more?: ProgressDetails): void
  /** A line of the story, above it. */
  note(message: string): void
  stop(): void
}

export interface ProgressDetails {
  readonly label?: string
  /** Where it is known: then the time that is left is shown too. */
  readonly total?: number | undefined
  /** That were moved so far. */
  readonly bytes?: number
}

const silent: Progress = {
  update: () => undefined,
  note: message => void process.stderr.write(`${message}\n`),
  stop: () => undefined,
}
const drawEveryMilliseconds = 100

/**
 * Shows `label 1,204 of 5,000 files (310/s, 1.2 MB/s, 0:13 left)` on stderr, and nothing where that is no terminal: logs and cron mails
 * stay readable. ora costs 40 ms to load, so only then.
 */
export async function startProgress(label: string, unit: string, wanted: boolean): Promise<Progress> {
  // A terminal that does not tell its size (an expect script's) has 0 columns: ora would draw lines without end.
  if (!wanted || !process.stderr.isTTY || process.stderr.columns < 1) return silent
  const {default: ora} = await import('ora')
  // Without discardStdin: false Ctrl-C would go to ora instead of to us.
  const spinner = ora({text: label, stream: process.stderr, discardStdin: false}).start()
  let start = performance.now()
  let drawn = 0
  let current = label
  return {
    update(done, {label: wantedLabel = label, total, bytes = 0} = {}) {
      const now = performance.now()
      if (wantedLabel !== current) [current, start] = [wantedLabel, now]
      else if (now - drawn < drawEveryMilliseconds && done !== total) return
      drawn = now
      if (!spinner.isSpinning) spinner.start()
      const seconds = Math.max(0.001, (now - start) / 1000)
      const of = total === undefined ? '' : ` of ${number(total)}`
      const details = [
        `${number(Math.round(done / seconds))}/s`,
        ...(bytes > 0 ? [`${size(bytes / seconds)}/s`] : []),
        ...(total !== undefined && done > 0 && done < total
          ? [`${duration((seconds / done) * (total - done))} left`]
          : []),
      ]
      spinner.text = `${current} ${number(done)}${of} ${unit} (${details.join(', ')})`
    },
    note(message) {
      spinner.clear()
      process.stderr.write(`${message}\n`)
      spinner.render()
    },
    stop: () => void spinner.stop(),
  }
}

/** Of a whole number: `12,345`, whatever the locale, as messages are English. `toLocaleString` takes 12 ms the first time. */
export const number = (value: number): string => String(value).replace(/\B(?=(?:\d{3})+$)/g, ',')
/** `1 file`, `2 files`. */
export const count = (value: number, noun: string): string =>
  `${number(value)} ${noun}${value === 1 ? '' : 's'}`

/** `0:07`, `12:30`, `3:05:00`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`
}

/** `1.5 MB`, in powers of ten. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? ''}`
}
