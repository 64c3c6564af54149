import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

/** DynamoDB in memory, stricter about expressions and limits than moto. Any credentials do. */
export async function startDynalite(): Promise<Service> {
  const server = await startServer({
    name: 'dynalite',
    command: port => [
      program('dynalite'),
      ...['--host', '127.0.0.1', '--port', String(port)],
      ...['--createTableMs', '0', '--deleteTableMs', '0', '--updateTableMs', '0'],
    ],
    answers: answersHttp,
  })
  return {...server, url: `http://127.0.0.1:${server.port}`}
}
