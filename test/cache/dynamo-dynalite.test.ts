import {describeDynamo} from './dynamo-laws.js'

describeDynamo('dynalite')
