import assert from 'node:assert/strict'
import {once} from 'node:events'
import {readFile} from 'node:fs/promises'
import {get, type IncomingMessage} from 'node:http'
import {connect, type AddressInfo} from 'node:net'
import {after, before, describe, it} from 'node:test'
import {createServer} from 'node:tls'
import {text} from 'node:stream/consumers'
import {StorageFailed, Unavailable} from '../../src/lib/errors.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {bodyOf} from '../contracts/object-store.js'
import {makeCertificate} from '../services/certificate.js'
import {startFaultProxy} from '../services/fault-proxy.js'
import {startForwardProxy} from '../services/forward-proxy.js'
import {startService, type Service} from '../services/index.js'
import {withEnvironment} from '../support/environment.js'
import {freePort} from '../support/free-port.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {s3Config} from './s3-services.js'

const openOnce = async (url: string, settings: Record<string, string> = {}) =>
  (await openS3Store(await s3Config(url, settings)))[Symbol.asyncDispose]()

const rejects = async (
  work: Promise<unknown>,
  kind: typeof StorageFailed | typeof Unavailable,
  reason: RegExp,
) =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof kind, String(error))
    assert.match(error.message, reason)
    assert.doesNotMatch(error.message, /\n|secret/)
    return true
  })

/** Takes TLS off connections and passes them on. */
async function startTls(target: string, certificate: {certificateFile: string; keyFile: string}) {
  const options = {
    cert: await readFile(certificate.certificateFile),
    key: await readFile(certificate.keyFile),
  }
  const server = createServer(options, client => {
    const onward = connect(Number(new URL(target).port), '127.0.0.1')
    client.pipe(onward).pipe(client)
    client.on('error', () => onward.destroy())
    onward.on('error', () => client.destroy())
  })
  server.on('tlsClientError', () => undefined) // who does not trust us hangs up
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => void server.close(),
  }
}

describe('the way to S3', needs('moto'), () => {
  let moto: Service
  before(async () => {
    moto = await startService('moto')
  })
  after(() => moto[Symbol.asyncDispose]())

  it('leads through the proxy of the config or else of the environment', async () => {
    await using proxy = await startForwardProxy({password: 'secret'})
    await using other = await startForwardProxy()
    const address = proxy.url.replace('http://', 'http://user:secret@')
    const ways: [settings: Record<string, string>, environment: Record<string, string>, isUsed: boolean][] = [
      [{'storage.proxies': `http = ${address}`}, {HTTP_PROXY: other.url}, true],
      [{'storage.proxies': `http = ${address}`}, {NO_PROXY: '*'}, true],
      [{}, {HTTP_PROXY: address}, true],
      [{}, {HTTP_PROXY: address, NO_PROXY: '127.0.0.1'}, false],
      [{'storage.proxies': `https = ${address}`}, {HTTP_PROXY: other.url}, false],
    ]
    for (const [settings, environment, isUsed] of ways) {
      proxy.requests.length = 0
      await withEnvironment(environment, () => openOnce(moto.url, settings))
      assert.equal(proxy.requests.length > 0, isUsed, JSON.stringify([settings, environment]))
      assert.equal(other.requests.length, 0)
    }
  })

  it('that a proxy bars names its setting, and no password', async () => {
    await using proxy = await startForwardProxy({password: 'other'})
    const address = proxy.url.replace('http://', 'http://user:secret@')
    const through = {'storage.proxies': `http = ${address}`}
    await rejects(
      openOnce(moto.url, through),
      StorageFailed,
      /the proxy 127\.0\.0\.1:\d+ .*server\.ini:\d+: storage\.proxies/,
    )
    await withEnvironment({HTTP_PROXY: address}, () =>
      rejects(openOnce(moto.url), StorageFailed, /the proxy 127\.0\.0\.1:\d+ .*HTTP_PROXY/),
    )
    const gone = {'storage.proxies': `http = http://user:secret@127.0.0.1:${await freePort()}`}
    await rejects(
      openOnce(moto.url, gone),
      Unavailable,
      /through the proxy 127\.0\.0\.1:\d+ .*storage\.proxies\)/,
    )
  })

  it('is encrypted where the certificate is trusted, also through a proxy', needs('openssl'), async () => {
    await using directory = await tempDir()
    const certificate = await makeCertificate(directory.path)
    using tls = await startTls(moto.url, certificate)
    const untrusted = withEnvironment({AWS_CA_BUNDLE: undefined}, () => openOnce(tls.url))
    await rejects(untrusted, StorageFailed, /certificate of https:\/\/127\S+ is not trusted.*storage\.verify/)
    await rejects(
      openOnce(moto.url.replace('http:', 'https:')),
      StorageFailed,
      /does not speak HTTPS: see \S+: storage\.endpoint_url/,
    )
    await openOnce(tls.url, {'storage.verify': 'false'})
    await withEnvironment({AWS_CA_BUNDLE: certificate.caFile}, () => openOnce(tls.url))
    const trusted = {'storage.verify': certificate.caFile}
    await openOnce(tls.url, trusted)
    const hosts = {'127.0.0.1': Number(new URL(tls.url).port)}
    await using proxy = await startForwardProxy({password: 'p', hosts})
    const address = proxy.url.replace('http://', 'user:p@')
    await withEnvironment({HTTPS_PROXY: address, AWS_CA_BUNDLE: undefined}, async () => {
      await openOnce(tls.url, trusted)
      await openOnce(tls.url, {'storage.verify': 'false'})
      await rejects(openOnce(tls.url), StorageFailed, /certificate of https:\/\/127\S+ is not trusted/)
    })
    await openOnce(tls.url, {...trusted, 'storage.proxies': `https = http://${address}`})
    assert.deepEqual([...new Set(proxy.requests)], [`CONNECT ${new URL(tls.url).host}`])
    await assert.rejects(
      openOnce(tls.url, {'storage.verify': directory.join('none.pem')}),
      /storage\.verify.*none\.pem can't be read/,
    )
  })
})

describe('buckets with hosts of their own', needs('versitygw'), () => {
  it('are read and written, and their links lead there', async () => {
    await using service = await startService('versitygw', {virtualDomain: 's3.test'})
    await using proxy = await startFaultProxy(service.url) // stands for the DNS, which does not know s3.test
    const settings = {
      'storage.addressing_style': 'virtual',
      'storage.proxies': `http = ${proxy.url}`,
      'storage.prefix': 'a b/',
    }
    await using store = await openS3Store(await s3Config('http://s3.test', settings, service))
    await store.put('a b/lib-1.0.zip', bodyOf(Buffer.alloc(9 << 20, 'x')), {replace: false})
    assert.equal((await text(await store.open('a b/lib-1.0.zip'))).length, 9 << 20)
    const copied = await store.copyFrom?.(store, 'a b/lib-1.0.zip', 'a b/lib-1.1.zip', {
      replace: false,
      metadata: {hash_md5: '0'},
    })
    assert.equal(copied, undefined) // nothing tells its digest
    const keys = []
    for await (const {key} of store.list('')) keys.push(key)
    assert.deepEqual(keys, ['a b/lib-1.0.zip'])
    const hosts = new Set(proxy.requests.map(({headers}) => headers['host']))
    assert.deepEqual([...hosts], ['packages.s3.test'])

    const link = await store.links!.urlOf('a b/lib-1.0.zip', 60)
    assert.equal(link.origin, 'http://packages.s3.test')
    const answered = once(get(proxy.url, {path: link.href, headers: {host: link.host}}), 'response')
    const [answer] = (await answered) as [IncomingMessage]
    assert.equal(answer.statusCode, 200)
    assert.equal((await text(answer)).length, 9 << 20)
  })
})
