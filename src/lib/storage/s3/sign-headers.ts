import type {Address} from './object-url.js'
import {scopeOf, signatureOf, type Signer} from './signature.js'

export interface UnsignedRequest {
  readonly method: string
  /** Percent-encoded, its query too and in the order of its names. */
  readonly address: Pick<Address, 'host' | 'pathname' | 'search'>
  /** In lower case, values in ASCII, `x-amz-content-sha256` among them. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The headers of a request with those that sign it: AWS Signature Version 4. Unlike in a query, they are in no access log.
 */
export function signHeaders(
  {method, address, headers}: UnsignedRequest,
  signer: Signer,
  region: string,
  now = new Date(),
): Record<string, string> {
  const {time, scope} = scopeOf(now, region)
  const signed: Record<string, string> = {
    ...headers,
    host: address.host,
    'x-amz-date': time,
    ...(signer.sessionToken && {'x-amz-security-token': signer.sessionToken}),
  }
  const names = Object.keys(signed).sort()
  const list = names.join(';')
  let canonical = `${method}\n${address.pathname}\n${address.search.slice(1)}\n`
  for (const name of names) canonical += `${name}:${oneBlank(signed[name] ?? '')}\n`
  canonical += `\n${list}\n${signed['x-amz-content-sha256'] ?? ''}`
  const signature = signatureOf(canonical, signer, time, scope)
  const credential = `${signer.accessKeyId}/${scope}`
  return {
    ...signed,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${list}, Signature=${signature}`,
  }
}

/** As the signature counts a value: without blanks around it, and with one where there are several. */
function oneBlank(value: string): string {
  const text = value.trim()
  return text.includes('  ') ? text.replace(/ {2,}/g, ' ') : text
}
