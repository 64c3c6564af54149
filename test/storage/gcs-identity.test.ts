import assert from 'node:assert/strict'
import {cp, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {makeCertificate, type Certificate} from '../services/certificate.js'
import {startForwardProxy} from '../services/forward-proxy.js'
import {startService, type Service} from '../services/index.js'
import {googleAccountHosts, startGoogleAccounts, type GoogleAccounts} from '../support/google-accounts.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'
import {fetchBy, runCloudUser, type Network} from './run-cloud-user.js'

const publicHost = 'storage.googleapis.com'
const privateHost = 'gcs.private.example'
const signer = 'packages@project.iam.gserviceaccount.com'

describe('Google Cloud Storage by an identity, behind a proxy', needs('fake-gcs-server', 'openssl'), () => {
  let dir: Awaited<ReturnType<typeof tempDir>>
  let certificate: Certificate
  let service: Service
  let accounts: GoogleAccounts
  before(async () => {
    dir = await tempDir()
    certificate = await makeCertificate(dir.path, [publicHost, privateHost, ...googleAccountHosts])
    service = await startService('fake-gcs-server', {certificate})
    accounts = await startGoogleAccounts(certificate)
    await cp(join(fixtures, 'gcs', 'TEST-ONLY-service-account.json'), dir.join('key.json'))
    await writeFile(dir.join('token'), 'a token of the cluster')
    const workload = {
      type: 'external_account',
      audience:
        '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: 'https://sts.googleapis.com/v1/token',
      credential_source: {file: dir.join('token')},
    }
    await writeFile(dir.join('workload.json'), JSON.stringify(workload))
  })
  after(async () => {
    await accounts[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  const network = async (password?: string) => {
    const hosts = Object.fromEntries([
      ...[publicHost, privateHost].map(host => [host, service.port] as const),
      ...googleAccountHosts.map(host => [host, accounts.port] as const),
    ])
    const proxy = await startForwardProxy({hosts, ...(password !== undefined && {password})})
    const place: Network = {directory: dir.path, certificate, proxy}
    return Object.assign(place, {[Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]()})
  }
  const use = async (
    place: Network,
    env: Readonly<Record<string, string>>,
    settings: Readonly<Record<string, string>> = {},
  ) => {
    const config = await configWith(dir.path, {
      'pypi.storage': 'gcs',
      'storage.bucket': 'packages',
      'storage.gcp_project_id': 'project',
      'storage.prepend_hash': 'false',
      'db.url': 'sqlite:///cache.db',
      ...settings,
    })
    return runCloudUser(place, config.file, env)
  }
  const byIam = {
    'storage.gcp_use_iam_signer': 'true',
    'storage.iam_signer_service_account_email': signer,
  }

  for (const [title, host, settings] of [
    ['at the public address', publicHost, {}],
    ['at a private address', privateHost, {'storage.gcp_api_endpoint': `https://${privateHost}`}],
  ] as const) {
    it(`a workload stores, lists, reads and deletes ${title}, and IAM signs links to the public one`, async () => {
      await using place = await network()
      accounts.asked.length = 0
      const env = {GOOGLE_APPLICATION_CREDENTIALS: dir.join('workload.json')}
      const seen = await use(place, env, {...byIam, ...settings})
      assert.equal(seen.error, undefined)
      assert.deepEqual(seen.keys, ['tool/tool-1.0.zip', 'tool/tool-2.0.zip'])
      assert.equal(seen.isSame, true)
      const link = new URL(seen.link ?? '')
      assert.equal(link.origin + link.pathname, `https://${publicHost}/packages/tool/tool-1.0.zip`)
      assert.equal(link.searchParams.get('X-Goog-Signature'), Buffer.from('signature').toString('hex'))
      assert.ok(place.proxy.requests.includes(`CONNECT ${host}:443`))
      assert.equal(await fetchBy(place, link.href), 'small')
      const [exchange, signing] = accounts.asked
      assert.equal(new URLSearchParams(exchange?.body).get('subject_token'), 'a token of the cluster')
      assert.equal(signing?.path, `/v1/projects/-/serviceAccounts/${encodeURIComponent(signer)}:signBlob`)
    })
  }

  it('says that the proxy wants a password', async () => {
    await using place = await network('p')
    const {error} = await use(place, {GOOGLE_APPLICATION_CREDENTIALS: dir.join('workload.json')})
    assert.match(error?.message ?? '', /HTTPS_PROXY/)
  })

  it('says that the key of a service account is not accepted, and where it is named', async () => {
    await using place = await network()
    const {error} = await use(place, {}, {'storage.gcp_service_account_json_filename': dir.join('key.json')})
    assert.match(
      error?.message ?? '',
      /server\.ini:\d+: storage\.gcp_service_account_json_filename: Google does not accept the credentials of .*key\.json: invalid_grant/,
    )
    assert.match(error?.hint ?? '', /deleted or disabled, or the clock/)
  })

  it('says that there are no credentials', async () => {
    await using place = await network()
    const {error} = await use(place, {})
    assert.match(error?.message ?? '', /found neither a key file nor default credentials/)
  })
})
