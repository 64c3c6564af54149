import {openDynamoCache} from '../../cache/dynamo/dynamo.js'
import {lambdaHandler} from '../handler.js'

export const handle_s3_event = lambdaHandler('dynamo', openDynamoCache)
