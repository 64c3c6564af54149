import {startService} from '../services/index.js'
import {describeS3} from './s3-contract.js'

describeS3('moto', () => startService('moto', {objectsOnPage: 100}), 100, {
  'lets exactly one of several writers create an object': 'moto looks whether it is there before it writes',
})
