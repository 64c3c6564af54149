import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import {startFaultProxy} from '../test/services/fault-proxy.js'

const delayMs = 20

/** Puts `delayMs` in front of every request to `target`, in a process of its own: it must not weigh on what is measured. */
export async function startFarService(target: string): Promise<AsyncDisposable & {url: string}> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), target], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [url] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: url.toString().trim(),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.stdin.end()
      await ended
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const proxy = await startFaultProxy(process.argv[2] ?? '', {delayMs})
  const forget = setInterval(() => (proxy.requests.length = 0), 100)
  process.stdout.write(`${proxy.url}\n`)
  process.stdin.resume().once('end', () => {
    clearInterval(forget)
    void proxy[Symbol.asyncDispose]()
  })
}
