import {styleText} from 'node:util'

interface LiveInputConfig {
  readonly message: string
  check(answer: string): string | undefined
}

/** A text prompt for inquirer that says below the line, at every key, what is wrong with the answer so far. */
export async function liveInput() {
  const {createPrompt, isEnterKey, useKeypress, usePrefix, useState} = await import('@inquirer/core')
  return createPrompt<string, LiveInputConfig>(({message, check}, done) => {
    const [status, setStatus] = useState<'idle' | 'done'>('idle')
    const [value, setValue] = useState('')
    const [problem, setProblem] = useState<string>()
    const prefix = usePrefix({status})
    useKeypress((key, line) => {
      if (status === 'done') return
      if (!isEnterKey(key)) {
        setValue(line.line)
        setProblem(line.line.trim() === '' ? undefined : check(line.line.trim()))
        return
      }
      const answer = value.trim()
      const refusal = answer === '' ? 'Type an answer' : check(answer)
      if (refusal === undefined) {
        setStatus('done')
        setValue(answer)
        done(answer)
      } else {
        line.write(value) // Enter has emptied the line: give it back to be corrected
        setProblem(refusal)
      }
    })
    const shown = status === 'done' ? styleText('cyan', value) : value
    return [
      `${prefix} ${styleText('bold', message)} ${shown}`,
      status === 'done' || problem === undefined ? '' : styleText('red', `> ${problem}`),
    ]
  })
}
