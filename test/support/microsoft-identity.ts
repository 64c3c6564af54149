import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import type {Certificate} from '../services/certificate.js'
import {startJsonServer, type JsonServer} from './https-json.js'

/** The host that gives tokens to identities of Azure. */
export const microsoftLogin = 'login.microsoftonline.com'

export interface MicrosoftIdentity extends JsonServer {
  /** Forms of the requests for tokens. */
  readonly asked: URLSearchParams[]
  /** From now on, no identity gets a token. */
  refuse(): void
}

/** Plays the part of Microsoft's login service that gives tokens for storage to workloads. */
export async function startMicrosoftIdentity(certificate: Certificate): Promise<MicrosoftIdentity> {
  const asked: URLSearchParams[] = []
  let isRefusing = false
  const server = await startJsonServer(certificate, ({path, body}) => {
    const [, tenant = ''] = path.split('/')
    const authority = `https://${microsoftLogin}/${tenant}`
    if (path.endsWith('/openid-configuration')) {
      return {
        issuer: `${authority}/v2.0`,
        authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
        token_endpoint: `${authority}/oauth2/v2.0/token`,
        jwks_uri: `${authority}/discovery/v2.0/keys`,
      }
    }
    asked.push(new URLSearchParams(body))
    if (isRefusing) {
      const reason =
        'AADSTS700016: Application with identifier was not found in the directory.\r\nTrace ID: 1'
      return {error: 'unauthorized_client', error_description: reason, error_codes: [700016]}
    }
    return {token_type: 'Bearer', expires_in: 3600, ext_expires_in: 3600, access_token: tokenFor(tenant)}
  })
  return {...server, asked, refuse: () => (isRefusing = true)}
}

/** Plays the metadata service of a virtual machine, which gives tokens to what runs on it. */
export async function startInstanceMetadata(tenant: string) {
  const asked: URLSearchParams[] = []
  const server = createServer(({url = '', headers}, answer) => {
    const {pathname, searchParams} = new URL(url, 'http://machine')
    if (!/^\/metadata\/identity\/oauth2\/token\/?$/.test(pathname) || headers['metadata'] !== 'true') {
      answer.writeHead(400).end()
      return
    }
    asked.push(searchParams)
    const expires_on = String(Math.floor(Date.now() / 1000) + 3600)
    const resource = searchParams.get('resource')
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({access_token: tokenFor(tenant), expires_on, resource, token_type: 'Bearer'}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

/** A token as azurite reads it, which looks at everything but the signature. */
function tokenFor(tenant: string): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    aud: 'https://storage.azure.com',
    iss: `https://sts.windows.net/${tenant}/`,
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3600,
    oid: '11111111-2222-3333-4444-555555555555',
    tid: tenant,
  }
  const parts = [{alg: 'RS256', typ: 'JWT'}, claims].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  return [...parts, 'c2lnbmF0dXJl'].join('.')
}
