import {openSqlCache} from '../../cache/sql/sql.js'
import {lambdaHandler} from '../handler.js'

export const handle_s3_event = lambdaHandler('mysql', openSqlCache)
