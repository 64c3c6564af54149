import {generateKeyPairSync} from 'node:crypto'
import {once} from 'node:events'
import {writeFile} from 'node:fs/promises'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'

export interface GoogleKey extends AsyncDisposable {
  /** JSON key file of a service account, whose tokens come from a server of the test's own. */
  readonly file: string
  /** How many tokens were given out. */
  tokens(): number
}

/** Makes a service account that no service knows, and answers who asks for its tokens. */
export async function makeGoogleKey(file: string): Promise<GoogleKey> {
  let given = 0
  const server = createServer((request, answer) => {
    request.resume()
    given += 1
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({access_token: `token-${given}`, token_type: 'Bearer', expires_in: 3600}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {privateKey} = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: {type: 'pkcs8', format: 'pem'},
    publicKeyEncoding: {type: 'spki', format: 'pem'},
  })
  const key = {
    type: 'service_account',
    project_id: 'test-project',
    private_key_id: 'test',
    private_key: privateKey,
    client_email: 'test@test-project.iam.gserviceaccount.com',
    client_id: '1',
    token_uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
  }
  await writeFile(file, JSON.stringify(key))
  return {
    file,
    tokens: () => given,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
