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

export interface VersitygwOptions {
  /** Below which buckets have hosts of their own, besides their paths. */
  readonly virtualDomain?: string
  /** As AWS does it. Otherwise every request is the last of its connection. */
  readonly keepAlive?: boolean
  /** As in `ServerSetup`. */
  readonly restarts?: boolean
}

/** A strict S3 over a directory, which checks signatures; region `us-east-1`. */
export async function startVersitygw(options: VersitygwOptions = {}): Promise<Versitygw> {
  const {virtualDomain, keepAlive = false, restarts} = options
  const keys = {accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key'}
  const server = await startServer({
    name: 'versitygw',
    restarts,
    async command(port, directory) {
      await mkdir(join(directory, 'data'))
      const address = ['--port', `127.0.0.1:${port}`, '--region', 'us-east-1']
      const access = ['--access', keys.accessKeyId, '--secret', keys.secretAccessKey]
      const domain = virtualDomain === undefined ? [] : ['--virtual-domain', virtualDomain]
      const extra = [...domain, ...(keepAlive ? ['--keep-alive', '--quiet'] : [])]
      return [program('versitygw'), ...access, ...address, ...extra, 'posix', join(directory, 'data')]
    },
    answers: answersHttp,
  })
  const {directory, port} = server
  return {...server, ...keys, directory: join(directory, 'data'), url: `http://127.0.0.1:${port}`}
}
