import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import type {Azurite} from '../services/azurite.js'
import {makeCertificate, type Certificate} from '../services/certificate.js'
import {startForwardProxy} from '../services/forward-proxy.js'
import {startService} from '../services/index.js'
import {
  microsoftLogin,
  startInstanceMetadata,
  startMicrosoftIdentity,
  type MicrosoftIdentity,
} from '../support/microsoft-identity.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'
import {fetchBy, runCloudUser, type Network} from './run-cloud-user.js'

const account = 'devstoreaccount1'
const accountHost = `${account}.blob.core.windows.net`
const tenant = '99999999-8888-7777-6666-555555555555'

describe('azure-blob by the identity of a workload, behind a proxy', needs('azurite', 'openssl'), () => {
  let dir: Awaited<ReturnType<typeof tempDir>>
  let certificate: Certificate
  let azurite: Azurite
  let login: MicrosoftIdentity
  before(async () => {
    dir = await tempDir()
    certificate = await makeCertificate(dir.path, [accountHost, microsoftLogin])
    azurite = await startService('azurite', {certificate})
    login = await startMicrosoftIdentity(certificate)
    await writeFile(dir.join('token'), 'a token of the cluster')
  })
  after(async () => {
    await login[Symbol.asyncDispose]()
    await azurite[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })

  const hosts = () => ({[accountHost]: azurite.port, [microsoftLogin]: login.port})
  const network = async (options: {password?: string; hosts?: Record<string, number>} = {}) => {
    const proxy = await startForwardProxy({hosts: hosts(), ...options})
    const place: Network = {directory: dir.path, certificate, proxy}
    return Object.assign(place, {[Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]()})
  }
  const use = async (
    place: Network,
    env: Readonly<Record<string, string>> = {},
    settings: Readonly<Record<string, string>> = {},
  ) => {
    const config = await configWith(dir.path, {
      'pypi.storage': 'azure-blob',
      'storage.storage_account_name': account,
      'storage.storage_container_name': 'packages',
      'db.url': 'sqlite:///cache.db',
      ...settings,
    })
    return runCloudUser(place, config.file, {
      AZURE_TENANT_ID: tenant,
      AZURE_CLIENT_ID: 'packages',
      AZURE_FEDERATED_TOKEN_FILE: dir.join('token'),
      ...env,
    })
  }

  it('makes the container, stores, lists, reads, deletes and signs links', async () => {
    await using place = await network()
    const seen = await use(place)
    assert.equal(seen.error, undefined)
    assert.deepEqual(seen.keys, ['tool/tool-1.0.zip', 'tool/tool-2.0.zip'])
    assert.equal(seen.isSame, true)
    assert.equal(login.asked[0]?.get('client_assertion'), 'a token of the cluster')
    const link = new URL(seen.link ?? '')
    assert.equal(link.origin + link.pathname, `https://${accountHost}/packages/tool/tool-1.0.zip`)
    assert.equal(await fetchBy(place, link.href), 'small')
    assert.deepEqual(
      new Set(place.proxy.requests),
      new Set(Object.keys(hosts()).map(host => `CONNECT ${host}:443`)),
    )
  })

  it('takes the identity that the metadata service of a virtual machine gives, which NO_PROXY names', async () => {
    await using place = await network()
    await using machine = await startInstanceMetadata(tenant)
    const {error, isSame} = await use(place, {
      AZURE_TENANT_ID: '',
      AZURE_FEDERATED_TOKEN_FILE: '',
      AZURE_POD_IDENTITY_AUTHORITY_HOST: machine.url,
      NO_PROXY: '127.0.0.1',
    })
    assert.deepEqual([error, isSame], [undefined, true])
    assert.deepEqual(
      [machine.asked[0]?.get('resource'), machine.asked[0]?.get('client_id')],
      ['https://storage.azure.com', 'packages'],
    )
    assert.deepEqual([...new Set(place.proxy.requests)], [`CONNECT ${accountHost}:443`])
  })

  it('says that the proxy wants a password', async () => {
    await using place = await network({password: 'p'})
    for (const settings of [{}, {'storage.storage_account_key': azurite.accountKey}]) {
      const {error} = await use(place, {}, settings)
      assert.match(error?.message ?? '', /the proxy of HTTPS_PROXY/)
      assert.equal(error?.message.includes('\n'), false)
    }
  })

  it('says that there is no identity', async () => {
    await using place = await network()
    const {error} = await use(place, {
      AZURE_FEDERATED_TOKEN_FILE: '',
      AZURE_CLIENT_ID: '',
      AZURE_TENANT_ID: '',
    })
    assert.match(error?.message ?? '', /no Azure credentials were found; set storage\.storage_account_key/)
  })

  it('says that the identity is not accepted', async () => {
    await using place = await network()
    login.refuse()
    const {error} = await use(place)
    assert.match(
      error?.message ?? '',
      /the identity of this process gets no token: AADSTS700016: Application with identifier was not found in the directory\.$/,
    )
  })
})
