import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

/** AWS as moto plays it: S3, DynamoDB, Secrets Manager, KMS, STS, Lambda, … Any credentials do; nothing is there yet. */
export async function startMoto(): Promise<Service> {
  const server = await startServer({
    name: 'moto',
    command: port => [program('moto'), '-H', '127.0.0.1', '-p', String(port)],
    answers: port => answersHttp(port, '/moto-api/'),
  })
  return {...server, url: `http://127.0.0.1:${server.port}`}
}
