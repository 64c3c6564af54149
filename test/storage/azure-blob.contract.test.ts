import {after, before, describe} from 'node:test'
import {describeObjectStore} from '../contracts/object-store.js'
import type {Azurite} from '../services/azurite.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {AzureContainers} from './open-azure.js'

describe('azure-blob', needs('azurite'), () => {
  let azurite: Azurite
  let azure: AzureContainers
  before(async () => {
    azurite = await startService('azurite')
    azure = await AzureContainers.on(azurite)
  })
  after(async () => {
    await azure[Symbol.asyncDispose]()
    await azurite[Symbol.asyncDispose]()
  })

  describeObjectStore('azure-blob', () => azure.open('contract'))
  describeObjectStore('azure-blob with a prefix', () =>
    azure.open('contract', {'storage.prefix': 'pkgs/v1-'}),
  )
})
