import {once} from 'node:events'
import {createServer} from 'node:net'

/**
 * Where ports are looked for: below those that systems give to connections and to servers that ask for any, of which hundreds
 * come and go in the moment between finding a port and using it.
 */
const lowest = 10_240
const count = 20_000

/** Each process begins elsewhere, since several look for ports at the same time. */
let next = (process.pid * 61) % count

/** A port of 127.0.0.1 on which nobody listens, and which is not soon named again. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < count; tried += 1) {
    const port = lowest + next
    next = (next + 1) % count
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await new Promise(resolve => server.close(resolve))
  return true
}
