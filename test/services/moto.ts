import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

/**
 * AWS as moto plays it: S3, DynamoDB, Secrets Manager, KMS, STS, Lambda, … Any credentials do; nothing is there yet.
 * A page of a listing of S3 has `objectsOnPage` at most, as AWS's.
 */
export async function startMoto({objectsOnPage = 1000} = {}): Promise<Service> {
  const server = await startServer({
    name: 'moto',
    command: port => [
      'env', // it can't be told otherwise
      `MOTO_S3_DEFAULT_MAX_KEYS=${objectsOnPage}`,
      ...[program('moto'), '-H', '127.0.0.1', '-p', String(port)],
    ],
    answers: port => answersHttp(port, '/moto-api/'),
  })
  return {...server, url: `http://127.0.0.1:${server.port}`}
}
