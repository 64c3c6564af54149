import {UsageError} from '../errors.js'
import {liveInput} from './live-input.js'

/** What is wrong with an answer, as a sentence for the user; undefined when it is fine. */
export type Check = (answer: string) => string | undefined

/** Without a terminal on both ends nobody can answer: commands then want flags. */
export const canPrompt = (): boolean => process.stdin.isTTY && process.stderr.isTTY

/**
 * Questions on stderr, so that stdout stays the product's. Ctrl-C throws inquirer's ExitPromptError.
 * inquirer loads with the first question: it costs 40 ms.
 */
async function ask<T>(question: Record<string, unknown>): Promise<T> {
  const {default: inquirer} = await import('inquirer')
  const prompt = inquirer.createPromptModule({output: process.stderr})
  prompt.registerPrompt('live', await liveInput())
  const answers = (await prompt([{...question, name: 'answer'}] as never)) as {answer: T}
  return answers.answer
}

/** A line of text: stripped, never empty, checked at every key. */
export async function askText(message: string, check: Check = () => undefined): Promise<string> {
  return ask<string>({type: 'live', message, check})
}

/** A numbered menu; the number or the arrow keys choose. */
export async function askChoice<T extends string>(message: string, choices: readonly T[]): Promise<T> {
  return ask<T>({type: 'rawlist', message, choices: choices.map(value => ({name: value, value}))})
}

export async function askYesNo(message: string, fallback: boolean): Promise<boolean> {
  return ask<boolean>({type: 'confirm', message, default: fallback})
}

/** Asks twice without echo, again until both are the same. */
export async function askNewPassword(message = 'Password:', check: Check = () => undefined): Promise<string> {
  const hidden = (text: string) =>
    ask<string>({
      type: 'password',
      message: text,
      toggleMask: false,
      validate: (answer: string) => (answer === '' ? 'Type a password' : (check(answer) ?? true)),
    })
  for (;;) {
    const password = await hidden(message)
    if (password === (await hidden(message))) return password
    process.stderr.write('Passwords do not match!\n')
  }
}

/** @throws {UsageError} naming every option that would have to be given. */
export function refuseToGuess(missing: readonly string[]): never {
  throw new UsageError(`there is no terminal to ask on: give ${missing.join(', ')}`)
}
