import type {Worker} from 'node:cluster'
import type {Counts} from './metrics.js'

/** The first process asks a worker, which answers with the same number. */
export interface CountsQuestion {
  readonly countsFor: number
}
export interface CountsAnswer extends CountsQuestion {
  readonly counts: Counts
}

/** A worker that is busy for longer, in ms, is left out this time. */
const patience = 2000
let asked = 0

/** What `worker` has counted; nothing when it does not answer. */
export function countsOf(worker: Worker): Promise<Counts | undefined> {
  asked += 1
  const countsFor = asked
  return new Promise(resolve => {
    const done = (counts: Counts | undefined): void => {
      clearTimeout(timer)
      worker.off('message', onMessage)
      resolve(counts)
    }
    const onMessage = (news: unknown): void => {
      if (isAnswer(news) && news.countsFor === countsFor) done(news.counts)
    }
    const timer = setTimeout(() => done(undefined), patience)
    worker.on('message', onMessage)
    const question: CountsQuestion = {countsFor}
    worker.send(question, error => error && done(undefined))
  })
}

const isAnswer = (news: unknown): news is CountsAnswer =>
  typeof news === 'object' && news !== null && 'countsFor' in news && 'counts' in news

export const isQuestion = (message: unknown): message is CountsQuestion =>
  typeof message === 'object' && message !== null && 'countsFor' in message
