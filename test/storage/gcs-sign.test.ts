import assert from 'node:assert/strict'
import {createPrivateKey, sign} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {json} from 'node:stream/consumers'
import {join} from 'node:path'
import {it} from 'node:test'
import {GcsLinks, iamSigner, keySigner, signedUrl} from '../../src/lib/storage/gcs/sign.js'
import {fixtures} from '../support/paths.js'

const gcsFixtures = join(fixtures, 'gcs')
const account = JSON.parse(
  await readFile(join(gcsFixtures, 'TEST-ONLY-service-account.json'), 'utf8'),
) as Record<'client_email' | 'private_key', string>
const privateKey = createPrivateKey(account.private_key)
const signer = keySigner(account.client_email, privateKey)
const identity = {
  who: 'the default credentials',
  authorize: () => Promise.resolve({authorization: 'Bearer t'}),
}

/** Where pypicloud sent a client. */
const recorded = async (path: string): Promise<URL> => {
  const exchange = JSON.parse(await readFile(join(gcsFixtures, path), 'utf8')) as {
    response: {headers: [string, string][]}
  }
  return new URL(exchange.response.headers.find(([name]) => name === 'Location')?.[1] ?? '')
}
const timeOf = (url: URL): Date => {
  const time = url.searchParams.get('X-Goog-Date') ?? ''
  return new Date(time.replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'))
}

for (const path of [
  'http-default/016-download.json',
  'http-default/017-download-odd.json',
  'http-prefix-no-hash/017-download-odd.json',
  'http-class-acl/016-download.json',
]) {
  it(`signs the very link that pypicloud gave: ${path}`, async () => {
    const theirs = await recorded(path)
    const [, bucket = '', ...key] = theirs.pathname.split('/').map(decodeURIComponent)
    const ours = await signedUrl(signer, {
      origin: 'https://storage.googleapis.com',
      bucket,
      key: key.join('/'),
      seconds: 86_400,
      now: timeOf(theirs),
    })
    assert.equal(ours.href, theirs.href)
  })
}

it('lets the IAM service sign, and asks once for a link that is wanted again', async () => {
  const asked: {path: string | undefined; authorization: string | undefined}[] = []
  // stands for iamcredentials: there is no emulator of it
  const iam = createServer((request, response) => {
    asked.push({path: request.url, authorization: request.headers.authorization})
    void json(request).then(body => {
      const payload = Buffer.from((body as {payload: string}).payload, 'base64')
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({signedBlob: sign('RSA-SHA256', payload, privateKey).toString('base64')}))
    })
  })
  await new Promise<void>(resolve => iam.listen(0, '127.0.0.1', resolve))
  try {
    const service = `http://127.0.0.1:${(iam.address() as AddressInfo).port}`
    const remote = iamSigner('signer@x.iam', identity, service)
    const request = {
      origin: 'https://storage.googleapis.com',
      bucket: 'b',
      key: 'k',
      seconds: 60,
      now: new Date(),
    }
    const byKey = await signedUrl({...signer, email: 'signer@x.iam'}, request)
    assert.equal((await signedUrl(remote, request)).href, byKey.href)
    assert.deepEqual(asked, [
      {path: '/v1/projects/-/serviceAccounts/signer%40x.iam:signBlob', authorization: 'Bearer t'},
    ])
    const links = new GcsLinks(remote, {origin: request.origin, bucket: 'b', inPages: false})
    const [one, two] = await Promise.all([links.urlOf('k', 60), links.urlOf('k', 60)])
    assert.equal(one.href, two.href)
    assert.equal(asked.length, 2)
    assert.ok(Number(one.searchParams.get('X-Goog-Expires')) > 60, 'it lasts as long when it is given again')
  } finally {
    iam.closeAllConnections()
    iam.close()
  }
})

it('says who may not sign', async () => {
  const iam = createServer((_, response) => {
    response.statusCode = 403
    response.end('{"error": {"message": "Permission iam.serviceAccounts.signBlob denied"}}')
  })
  await new Promise<void>(resolve => iam.listen(0, '127.0.0.1', resolve))
  try {
    const service = `http://127.0.0.1:${(iam.address() as AddressInfo).port}`
    await assert.rejects(
      iamSigner('signer@x.iam', identity, service).sign('x'),
      /as signer@x\.iam \(storage\.iam_signer_service_account_email\): not allowed with the default credentials: Permission iam\.serviceAccounts\.signBlob denied/,
    )
  } finally {
    iam.closeAllConnections()
    iam.close()
  }
})
