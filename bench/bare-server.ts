import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {freePort} from '../test/support/live-server.js'

/**
 * What `node:http` can do: processes that send as many bytes for any request, or 304 where the client has an ETag.
 * @param length of the body, in bytes.
 */
export async function bareServer(length: number, workers = 1) {
  const port = await freePort()
  const script = `
    const cluster = require('node:cluster')
    if (cluster.isPrimary && ${workers} > 1) {
      let listening = 0
      cluster.on('listening', () => { if (++listening === ${workers}) console.log('listening') })
      for (let i = 0; i < ${workers}; i += 1) cluster.fork()
      process.once('SIGTERM', () => { for (const worker of Object.values(cluster.workers)) worker.kill(); process.exit() })
    } else {
      const bytes = Buffer.alloc(${length}, 'x')
      const etag = '"0123456789abcdef"'
      const server = require('node:http').createServer((request, response) => {
        if (request.headers['if-none-match'] === undefined)
          response.writeHead(200, {etag, 'content-type': 'text/html', 'content-length': bytes.length}).end(bytes)
        else response.writeHead(304, {etag}).end()
      })
      server.listen(${port}, '127.0.0.1', () => { if (cluster.isPrimary) console.log('listening') })
    }`
  const child = spawn(process.execPath, ['-e', script], {stdio: ['ignore', 'pipe', 'inherit']})
  await once(child.stdout, 'data')
  return {
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await once(child, 'exit')
    },
  }
}
