import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

export interface Versitygw extends Service {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Where a bucket is a directory and an object a file. */
  readonly directory: string
}

/**
 * A strict S3 over a directory, which checks signatures; region `us-east-1`.
 * @param virtualDomain below which buckets have hosts of their own, besides their paths.
 */
export async function startVersitygw({virtualDomain}: {virtualDomain?: string} = {}): Promise<Versitygw> {
  const keys = {accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key'}
  const server = await startServer({
    name: 'versitygw',
    async command(port, directory) {
      await mkdir(join(directory, 'data'))
      const address = ['--port', `127.0.0.1:${port}`, '--region', 'us-east-1']
      const access = ['--access', keys.accessKeyId, '--secret', keys.secretAccessKey]
      const domain = virtualDomain === undefined ? [] : ['--virtual-domain', virtualDomain]
      return [program('versitygw'), ...access, ...address, ...domain, 'posix', join(directory, 'data')]
    },
    answers: answersHttp,
  })
  const {directory, port} = server
  return {...server, ...keys, directory: join(directory, 'data'), url: `http://127.0.0.1:${port}`}
}
