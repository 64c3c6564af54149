import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {program} from '../support/needs.js'
import type {Certificate} from './certificate.js'
import type {Service} from './service.js'
import {answersHttp, answersTcp, startServer} from './supervised.js'

export interface Azurite extends Service {
  readonly accountName: string
  readonly accountKey: string
  /** For `BlobServiceClient.fromConnectionString`. */
  readonly connectionString: string
}

/** The account that Azure's storage emulators have had since ever; its key is public. */
const accountName = 'devstoreaccount1'
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

/**
 * Azure Blob storage. `url` has the account's name as its path, as emulators have it.
 * @param certificate with which it speaks https, and accepts the tokens of identities.
 */
export async function startAzurite({certificate}: {certificate?: Certificate} = {}): Promise<Azurite> {
  const server = await startServer({
    name: 'azurite',
    async command(port, directory) {
      const location = join(directory, 'data')
      await mkdir(location)
      const address = ['--blobHost', '127.0.0.1', '--blobPort', String(port)]
      return [
        program('azurite'),
        ...address,
        '--location',
        location,
        '--skipApiVersionCheck',
        '--disableTelemetry',
        ...(certificate
          ? ['--oauth', 'basic', '--cert', certificate.certificateFile, '--key', certificate.keyFile]
          : []),
      ]
    },
    answers: certificate ? answersTcp : answersHttp,
  })
  const scheme = certificate ? 'https' : 'http'
  const url = `${scheme}://127.0.0.1:${server.port}/${accountName}`
  const connectionString = `DefaultEndpointsProtocol=${scheme};AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=${url};`
  return {...server, url, accountName, accountKey, connectionString}
}
