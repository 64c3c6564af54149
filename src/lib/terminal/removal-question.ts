import {UsageError} from '../errors.js'
import type {PlannedRemoval} from '../tasks/migrate/options.js'
import {oneLine} from './one-line.js'
import {count, number} from './progress.js'
import {askText, askYesNo, canPrompt} from './prompts.js'

/**
 * Asks whether to remove; where it is much, by the number that has to be typed.
 * @throws {UsageError} without a terminal.
 */
export async function askRemoval({place, files, of, examples, isLarge}: PlannedRemoval): Promise<boolean> {
  const share = `${number(files)} of ${count(of, 'file')} of ${place}`
  if (!canPrompt()) {
    throw new UsageError(
      `${share} would be removed, and there is no terminal to ask on: nothing was changed`,
      {
        hint: 'Look at it with --dry-run, and give --yes.',
      },
    )
  }
  const more = files > examples.length ? ` and ${number(files - examples.length)} more` : ''
  process.stderr.write(`To be removed from ${place}: ${oneLine(examples.join(', '))}${more}\n`)
  if (!isLarge) return askYesNo(`Remove ${share}?`, false)
  const percent = Math.round((100 * files) / Math.max(1, of))
  process.stderr.write(`That is ${share}: ${percent} %.\n`)
  const answer = await askText('Type the number of files to remove them, or no:')
  return answer.replaceAll(',', '') === String(files)
}
