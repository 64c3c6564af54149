/** One of several server processes: started by `workers.ts`, never by hand. */
import {Socket} from 'node:net'
import {readConfig} from '../config/config.js'
import {serveHere} from './serve.js'
import {isQuestion} from './operation/worker-counts.js'
import type {HandedOver} from './stand-in.js'
import {
  endMessage,
  orderVariable,
  reloadMessage,
  reopenMessage,
  type ListenMessage,
  type LoginMessage,
  type WorkerNews,
  type WorkerOrder,
} from './workers.js'

const order = JSON.parse(process.env[orderVariable] ?? '{}') as WorkerOrder
const toldBy =
  <Message extends object>(key: keyof Message) =>
  (message: unknown): message is Message =>
    typeof message === 'object' && message !== null && key in message
const isLoginMessage = toldBy<LoginMessage>('login')
const isListenMessage = toldBy<ListenMessage>('listenOn')
const isHandedOver = toldBy<HandedOver>('handedOver')
const tell = (news: WorkerNews): void => void process.send?.(news)

// A terminal and systemd signal every process of the group: the first one decides, and tells the others.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('SIGHUP', () => undefined)

/** Asks the first process, which may be listening itself. */
const mayListen = (): Promise<number | undefined> =>
  new Promise(resolve => {
    const hear = (message: unknown): void => {
      if (!isListenMessage(message)) return
      process.off('message', hear)
      resolve(message.listenOn ?? undefined)
    }
    process.on('message', hear)
    tell({wantsToListen: true})
  })

try {
  const config = await readConfig(order.configPath)
  const running = await serveHere(config, order, mayListen)
  const end = (): void => {
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        running.log.logger.error({err: error}, 'the end was not clean')
        process.exit(1)
      },
    )
  }
  process.on('message', (message, handle) => {
    if (message === endMessage) end()
    else if (isHandedOver(message)) {
      if (handle instanceof Socket) running.take(handle) // else the client has left meanwhile
    } else if (message === reopenMessage) void running.reopen()
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
