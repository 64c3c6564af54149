import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'

export interface RoleKeys {
  readonly accessKeyId: string
  readonly secondsLeft: number
}
export interface InstanceRole extends AsyncDisposable {
  readonly url: string
  /** What an instance has now; may be changed at any time. */
  keys: RoleKeys
}

/** The service that tells a machine of AWS its role's keys: version 2, with a token; and that of containers, at `/task`. */
export async function startInstanceRole(): Promise<InstanceRole> {
  const token = 'metadata-token'
  const answerTo = (
    method: string | undefined,
    path: string | undefined,
    given: unknown,
  ): string | undefined => {
    const {accessKeyId, secondsLeft} = role.keys
    const keys = JSON.stringify({
      Code: 'Success',
      Type: 'AWS-HMAC',
      AccessKeyId: accessKeyId,
      SecretAccessKey: `secret-of-${accessKeyId}`,
      Token: `token-of-${accessKeyId}`,
      Expiration: new Date(Date.now() + secondsLeft * 1000).toISOString(),
    })
    if (method === 'PUT') return path === '/latest/api/token' ? token : undefined
    if (path === '/task') return keys
    if (given !== token) return undefined
    if (path === '/latest/meta-data/iam/security-credentials/') return 'packages-role'
    return path === '/latest/meta-data/iam/security-credentials/packages-role' ? keys : undefined
  }
  const server = createServer(({method, url, headers}, answer) => {
    const text = answerTo(method, url, headers['x-aws-ec2-metadata-token'])
    answer.writeHead(text === undefined ? 401 : 200).end(text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const role: InstanceRole = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys: {accessKeyId: 'ROLEKEY1', secondsLeft: 3600},
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return role
}
