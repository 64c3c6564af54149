import {join} from 'node:path'
import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

export interface DynaliteOptions {
  /** As in `ServerSetup`. Its tables are then on the disk. */
  readonly restarts?: boolean
}

/** DynamoDB in memory, stricter about expressions and limits than moto. Any credentials do. */
export async function startDynalite({restarts}: DynaliteOptions = {}): Promise<Service> {
  const server = await startServer({
    name: 'dynalite',
    restarts,
    command: (port, directory) => [
      program('dynalite'),
      ...(restarts ? ['--path', join(directory, 'data')] : []),
      ...['--host', '127.0.0.1', '--port', String(port)],
      ...['--createTableMs', '0', '--deleteTableMs', '0', '--updateTableMs', '0'],
    ],
    answers: answersHttp,
  })
  return {...server, url: `http://127.0.0.1:${server.port}`}
}
