import {createHmac, hash} from 'node:crypto'

/** By whom a request is signed. */
export interface Signer {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** AWS Signature Version 4 counts for one service in one region on one day. */
export interface Scope {
  /** `20261121T100000Z` */
  readonly time: string
  /** `20261121/eu-west-1/s3/aws4_request` */
  readonly scope: string
}

export function scopeOf(now: Date, region: string): Scope {
  const text = now.toISOString() // regular expressions would take longer than the rest
  const day = text.slice(0, 4) + text.slice(5, 7) + text.slice(8, 10)
  const time = `${day}T${text.slice(11, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`
  return {time, scope: `${day}/${region}/s3/aws4_request`}
}

/** In hex. @param canonical the request in the form in which it is signed. */
export function signatureOf(
  canonical: string,
  {secretAccessKey}: Signer,
  time: string,
  scope: string,
): string {
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  return hmac(keyFor(secretAccessKey, scope), text).toString('hex')
}

export const sha256 = (content: string | Buffer): string => hash('sha256', content, 'hex')

/** The last one is the next one, until midnight. */
let lastKey: {readonly secret: string; readonly scope: string; readonly key: Buffer} | undefined

function keyFor(secret: string, scope: string): Buffer {
  if (lastKey?.secret !== secret || lastKey.scope !== scope) {
    const key = scope.split('/').reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`))
    lastKey = {secret, scope, key}
  }
  return lastKey.key
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
