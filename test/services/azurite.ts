import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

export interface Azurite extends Service {
  readonly accountName: string
  readonly accountKey: string
  /** For `BlobServiceClient.fromConnectionString`. */
  readonly connectionString: string
}

/** The account that Azure's storage emulators have had since ever; its key is public. */
const accountName = 'devstoreaccount1'
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

/** Azure Blob storage. `url` has the account's name as its path, as emulators have it. */
export async function startAzurite(): Promise<Azurite> {
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
      ]
    },
    answers: answersHttp,
  })
  const url = `http://127.0.0.1:${server.port}/${accountName}`
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=${url};`
  return {...server, url, accountName, accountKey, connectionString}
}
