/** A server in a process of its own: `node serve-child.js CONFIG WORKERS GRACE`. Its first line is its address. */
import {readConfig} from '../../src/lib/config/config.js'
import {PpcError} from '../../src/lib/errors.js'
import {serve} from '../../src/lib/server/serve.js'

const [path = '', workers = '1', grace = '10'] = process.argv.slice(2)
try {
  const config = await readConfig(path, {environment: {}})
  const {url} = await serve(config, {port: 0, workers: Number(workers), graceSeconds: Number(grace)})
  process.stdout.write(`${url}\n`)
} catch (error) {
  process.stdout.write(`${error instanceof PpcError ? `${error.code} ${error.message}` : String(error)}\n`)
  process.exitCode = error instanceof PpcError ? error.exitCode : 1
}
