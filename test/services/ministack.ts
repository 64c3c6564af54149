import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

/**
 * DynamoDB and Secrets Manager as MiniStack plays them: transactions are whole, and asked for again by their token they happen
 * once; a secret has one current version, whichever way it became that. Any credentials do.
 */
export async function startMinistack(): Promise<Service> {
  const server = await startServer({
    name: 'ministack',
    command: (port, directory) => [
      'env', // the port can't be given otherwise
      ...[`GATEWAY_PORT=${port}`, 'BIND_HOST=127.0.0.1', 'SERVICES=dynamodb,secretsmanager'],
      ...['LOG_LEVEL=WARNING', `TMPDIR=${directory}`],
      program('ministack'),
    ],
    answers: answersHttp,
  })
  return {...server, url: `http://127.0.0.1:${server.port}`}
}
