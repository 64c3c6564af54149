import {startService} from '../services/index.js'
import {describeS3} from './s3-contract.js'

describeS3('versitygw', () => startService('versitygw'), 1000)
