import type {Redis} from 'ioredis'
import type {RedisConnection} from './connection.js'

/** Milliseconds. Evictions are noticed as late as changes by other hosts. */
const rememberedFor = 1000

/**
 * A text that stays the same for as long as nothing that was written can have gone by itself: the processes that serve
 * the keys and, where one may evict them, how often it has. Looked up at most once a second and for each connection.
 */
export function serverIdentity(connection: RedisConnection): () => Promise<string> {
  let known: {text: Promise<string>; epoch: number; readAt: number} | undefined
  return () => {
    const {epoch} = connection
    if (known?.epoch === epoch && performance.now() - known.readAt < rememberedFor) return known.text
    const text = readIdentity(connection)
    text.catch(() => (known = undefined))
    known = {text, epoch, readAt: performance.now()}
    return text
  }
}

async function readIdentity(connection: RedisConnection): Promise<string> {
  const nodes = await Promise.all(connection.nodes().map(node => connection.run(() => identityOf(node))))
  return nodes.sort().join(' ')
}

async function identityOf(node: Redis): Promise<string> {
  let info: string
  try {
    info = `${await node.info('server')}${await node.info('memory')}${await node.info('stats')}`
  } catch (error) {
    // Some servers keep these facts from us; losing what they lose then goes unnoticed where no witness is lost.
    if (error instanceof Error && /^(?:NOPERM|ERR unknown)/.test(error.message)) return 'unknown'
    throw error
  }
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? ''
  // Keys of pypicloud never expire: other policies than these leave them alone.
  const evicted = field('maxmemory_policy').startsWith('allkeys') ? `/${field('evicted_keys')}` : ''
  return `${field('run_id')}${evicted}`
}
