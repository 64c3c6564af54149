/** One of several server processes: started by `workers.ts`, never by hand. */
import {readConfig} from '../config/config.js'
import {serveHere} from './serve.js'
import {isQuestion} from './operation/worker-counts.js'
import {
  endMessage,
  orderVariable,
  reloadMessage,
  reopenMessage,
  type LoginMessage,
  type WorkerNews,
  type WorkerOrder,
} from './workers.js'

const order = JSON.parse(process.env[orderVariable] ?? '{}') as WorkerOrder
const isLoginMessage = (message: unknown): message is LoginMessage =>
  typeof message === 'object' && message !== null && 'login' in message
const tell = (news: WorkerNews): void => void process.send?.(news)

// A terminal and systemd signal every process of the group: the first one decides, and tells the others.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('SIGHUP', () => undefined)

try {
  const config = await readConfig(order.configPath)
  const running = await serveHere(config, order)
  const end = (): void => {
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        running.log.logger.error({err: error}, 'the end was not clean')
        process.exit(1)
      },
    )
  }
  process.on('message', message => {
    if (message === endMessage) end()
    else if (message === reopenMessage) void running.reopen()
    else if (message === reloadMessage) void running.reload()
    else if (isLoginMessage(message)) running.slowDown.hear(message.login)
    else if (isQuestion(message)) {
      const {countsFor} = message
      void running.counts().then(counts => counts && tell({countsFor, counts}))
    }
  })
  running.slowDown.shareWith(login => tell({login}))
  process.on('disconnect', end) // the first process is gone
  tell({listening: running.url})
} catch (error) {
  tell({failed: error instanceof Error ? error.message : String(error)})
  process.exitCode = 1
  process.disconnect()
}
