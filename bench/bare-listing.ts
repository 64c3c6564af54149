import {once} from 'node:events'
import {Agent, request, type IncomingMessage} from 'node:http'
import {text} from 'node:stream/consumers'

/** A listing of a service that everybody may read, or whose addresses are signed: how to ask for it and what it says. */
export interface BareListing {
  /** Address of the first page. */
  readonly first: string
  /** Pattern of what a page calls the next one, and the argument by which that is asked for. */
  readonly token: string
  readonly parameter: string
  /** Pattern of the keys. */
  readonly key: string
  /** Address of an object, with `*` for its key. */
  readonly object: string
}

const headsAtOnce = 64

/** @param bucketUrl that of a bucket which everybody may read. */
export const listingOfS3 = (bucketUrl: string): BareListing => ({
  first: `${bucketUrl}?list-type=2`,
  token: '<NextContinuationToken>([^<]+)',
  parameter: 'continuation-token',
  key: '<Key>([^<]+)',
  object: `${bucketUrl}/*`,
})

/**
 * Asks for one page after the other and, with `heads`, for the head of each object as its page comes: nothing is signed or made
 * sense of. @returns how many objects there are.
 */
export async function listBare(listing: BareListing, {heads}: {readonly heads: boolean}): Promise<number> {
  const {first, token, parameter, key, object} = listing
  const agent = new Agent({keepAlive: true, maxSockets: headsAtOnce + 1})
  const ask = async (method: string, url: string) => {
    const [answer] = (await once(request(url, {method, agent}).end(), 'response')) as [IncomingMessage]
    const body = await text(answer)
    if (answer.statusCode !== 200) throw new Error(`${url}: ${String(answer.statusCode)} ${body}`)
    return body
  }
  const keys = new RegExp(key, 'g')
  let count = 0
  const asked = new Set<Promise<void>>()
  for (let next: string | undefined = ''; next !== undefined;) {
    const after: string = next && `&${parameter}=${encodeURIComponent(next)}`
    const page = await ask('GET', first + after)
    next = new RegExp(token).exec(page)?.[1]
    for (const [, found = ''] of page.matchAll(keys)) {
      count += 1
      if (!heads) continue
      if (asked.size === headsAtOnce) await Promise.race(asked)
      const head: Promise<void> = ask('HEAD', object.replace('*', found)).then(() => {
        asked.delete(head)
      })
      asked.add(head)
    }
  }
  await Promise.all(asked)
  agent.destroy()
  return count
}
