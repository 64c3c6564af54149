import {randomUUID} from 'node:crypto'
import type {Cache} from '../../src/lib/cache/cache.js'
import type {DynamoSettings} from '../../src/lib/cache/dynamo/client.js'
import {openDynamoCacheOf, type DynamoCache} from '../../src/lib/cache/dynamo/dynamo.js'

/** As the config gives them, for a service of the tests. */
export const settingsFor = (url: string, more: Partial<DynamoSettings> = {}): DynamoSettings => ({
  regionName: 'us-east-1',
  host: new URL(url).hostname,
  port: Number(new URL(url).port),
  secure: false,
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
  namespace: '',
  tablenames: ['DynamoPackage', 'PackageSummary'],
  billing: 'on-demand',
  readCapacity: 5,
  writeCapacity: 5,
  gracefulReload: false,
  ...more,
})

export const openDynamo = (url: string, more: Partial<DynamoSettings> = {}): Promise<DynamoCache> =>
  openDynamoCacheOf(settingsFor(url, more), 'server.ini')

/** In tables of its own. */
export const openFresh = (url: string, more: Partial<DynamoSettings> = {}): Promise<DynamoCache> =>
  openDynamo(url, {namespace: `t${randomUUID().slice(0, 8)}-`, ...more})

/** For other processes of the contract's suite. */
export const open = (url: string): Promise<Cache> => openDynamo(url)
