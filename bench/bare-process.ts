import cluster from 'node:cluster'
import {createServer} from 'node:http'

/** Listens, and tells so by a line. Arguments: port, bytes of each answer, processes. */
const [port = 0, length = 0, workers = 1] = process.argv.slice(2).map(Number)

if (cluster.isPrimary && workers > 1) {
  let listening = 0
  cluster.on('listening', () => {
    listening += 1
    if (listening === workers) console.log('listening')
  })
  for (let index = 0; index < workers; index += 1) cluster.fork()
} else {
  const etag = '"0123456789abcdef"'
  const bytes = Buffer.alloc(length, 'x')
  createServer((request, response) => {
    if (request.headers['if-none-match'] === undefined) {
      response.writeHead(200, {etag, 'content-type': 'text/html', 'content-length': length}).end(bytes)
    } else response.writeHead(304, {etag}).end()
  }).listen(port, '127.0.0.1', () => {
    if (cluster.isPrimary) console.log('listening')
  })
}
