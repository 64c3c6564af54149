import {PassThrough} from 'node:stream'
import {pino} from 'pino'
import {createApp} from '../../src/lib/server/app.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import type {FakeUpstream} from '../support/upstream.js'
import type {BuiltFile} from '../support/wheels.js'
import {basic, install} from './installation.js'
import {uploadForm} from './upload-form.js'

/** Whoever asks in a test. */
export const readers = ['anonymous', 'stranger', 'reader', 'admin'] as const
export type Reader = (typeof readers)[number]

export const authorization = (reader: Reader): Record<string, string> =>
  reader === 'anonymous' ? {} : {authorization: basic(reader, testPassword)}

/**
 * A server whose upstream is `upstream`. `stranger` and `reader` are logged in; projects called corp-… and acme-… are for
 * `reader` alone.
 */
export async function serverBefore(upstream: FakeUpstream, settings: Record<string, string> = {}) {
  const all = {
    'pypi.fallback_base_url': upstream.url,
    'pypi.storage': 'file',
    'storage.dir': '%(here)s/packages',
    'db.url': 'sqlite:///%(here)s/cache.db',
    'auth.admins': 'admin',
    'user.admin': testPasswordHash,
    'user.reader': testPasswordHash,
    'user.stranger': testPasswordHash,
    'package.corp-*.user.reader': 'rw',
    'package.acme-*.user.reader': 'rw',
    'session.validate_key': 'test-validate-key',
    ...settings,
  }
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}`)
  const server = await install(`[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
  let log = ''
  const stream = new PassThrough()
  stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  const logger = pino({level: 'debug'}, stream)
  /** Another process on the same storage and cache. */
  const another = () => createApp({...server.backends, config: server.config, logger})
  const app = another()
  const get = (url: string, reader: Reader = 'reader', headers: Record<string, string> = {}) =>
    app.inject({method: 'GET', url, headers: {...authorization(reader), ...headers}})
  const upload = (file: BuiltFile, fields: Record<string, string>, reader: Reader = 'reader') => {
    const {payload, headers} = uploadForm(file, fields)
    return app.inject({
      method: 'POST',
      url: '/simple/',
      payload,
      headers: {...headers, ...authorization(reader)},
    })
  }
  return {
    ...server,
    app,
    another,
    get,
    upload,
    log: () => log,
    [Symbol.asyncDispose]: async () => {
      await app.close()
      await server[Symbol.asyncDispose]()
    },
  }
}
