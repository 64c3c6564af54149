import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
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
  /** Who has no rights but those that the policies of buckets give. */
  readonly user?: {readonly accessKeyId: string; readonly secretAccessKey: string}
}

/** A strict S3 over a directory, which checks signatures; region `us-east-1`. */
export async function startVersitygw(options: VersitygwOptions = {}): Promise<Versitygw> {
  const {virtualDomain, keepAlive = false, restarts, user} = options
  const keys = {accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key'}
  const server = await startServer({
    name: 'versitygw',
    restarts,
    async command(port, directory) {
      for (const name of ['data', 'users']) await mkdir(join(directory, name))
      const address = ['--port', `127.0.0.1:${port}`, '--region', 'us-east-1']
      const access = ['--access', keys.accessKeyId, '--secret', keys.secretAccessKey]
      const domain = virtualDomain === undefined ? [] : ['--virtual-domain', virtualDomain]
      const users = user === undefined ? [] : ['--iam-dir', join(directory, 'users')]
      const extra = [...domain, ...users, ...(keepAlive ? ['--keep-alive', '--quiet'] : [])]
      return [program('versitygw'), ...access, ...address, ...extra, 'posix', join(directory, 'data')]
    },
    answers: answersHttp,
  })
  const {directory, port} = server
  const url = `http://127.0.0.1:${port}`
  if (user) await addUser(url, keys, user)
  return {...server, ...keys, directory: join(directory, 'data'), url}
}

type Keys = Pick<Versitygw, 'accessKeyId' | 'secretAccessKey'>

async function addUser(url: string, admin: Keys, user: Keys): Promise<void> {
  const asAdmin = ['--access', admin.accessKeyId, '--secret', admin.secretAccessKey, '--endpoint-url', url]
  const who = ['--access', user.accessKeyId, '--secret', user.secretAccessKey, '--role', 'user']
  const done = await runProgram(program('versitygw'), ['admin', ...asAdmin, 'create-user', ...who], {
    cwd: '/',
  })
  if (done.code !== 0) throw new Error(done.stderr)
}
