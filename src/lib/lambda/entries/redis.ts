import {openRedisCache} from '../../cache/redis/redis.js'
import {lambdaHandler} from '../handler.js'

export const handle_s3_event = lambdaHandler('redis', openRedisCache)
