import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import {freePort} from '../test/support/free-port.js'

const script = fileURLToPath(new URL('./bare-process.js', import.meta.url))

/**
 * What `node:http` can do: processes that send as many bytes for any request, or 304 where the client has an ETag.
 * @param length of the body, in bytes.
 */
export async function bareServer(length: number, workers = 1) {
  const port = await freePort()
  const child = spawn(process.execPath, [script, String(port), String(length), String(workers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [outcome] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as unknown[]
  if (typeof outcome === 'number') throw new Error(`the bare server ended with ${outcome}`)
  return {
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      child.kill() // workers leave without their first process
      await once(child, 'exit')
    },
  }
}
