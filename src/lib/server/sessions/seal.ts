import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** Longest value that is looked at: browsers keep no longer cookies. */
const maxLength = 4096
/** Of AES-256-GCM, in bytes. */
const nonceSize = 12
const tagSize = 16

/** Makes texts that only this installation can have made: signed, and where there is a key for it also encrypted. */
export interface Sealer {
  /** In characters that a cookie may hold. */
  seal(text: string): string
  /** Undefined for what is damaged, forged or of another key. */
  unseal(value: string): string | undefined
  /** A keyed digest, for what is compared and never read. 43 characters. */
  digest(text: string): string
}

/** @param encryptKey without one the texts can be read, but not changed */
export function openSealer(validateKey: string, encryptKey: string | undefined): Sealer {
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', validateKey, encryptKey ?? '', `ppc-toolkit session ${purpose}`, 32))
  const [digestKey, sealKey] = [derive('digest'), derive('seal')]
  const digest = (text: string) => createHmac('sha256', digestKey).update(text).digest('base64url')
  return {digest, ...(encryptKey === undefined ? signing(sealKey) : encrypting(sealKey))}
}

function signing(key: Buffer): Pick<Sealer, 'seal' | 'unseal'> {
  const sign = (text: string) => createHmac('sha256', key).update(text).digest()
  return {
    seal: text => `${Buffer.from(text).toString('base64url')}.${sign(text).toString('base64url')}`,
    unseal(value) {
      const [body, signature, ...more] = value.length > maxLength ? [] : value.split('.')
      if (body === undefined || signature === undefined || more.length > 0) return undefined
      const text = Buffer.from(body, 'base64url').toString()
      const [given, right] = [Buffer.from(signature, 'base64url'), sign(text)]
      return given.length === right.length && timingSafeEqual(given, right) ? text : undefined
    },
  }
}

function encrypting(key: Buffer): Pick<Sealer, 'seal' | 'unseal'> {
  return {
    seal(text) {
      const nonce = randomBytes(nonceSize)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')
    },
    unseal(value) {
      const bytes = Buffer.from(value.length > maxLength ? '' : value, 'base64url')
      if (bytes.length < nonceSize + tagSize) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceSize))
      decipher.setAuthTag(bytes.subarray(nonceSize, nonceSize + tagSize))
      try {
        const body = bytes.subarray(nonceSize + tagSize)
        return Buffer.concat([decipher.update(body), decipher.final()]).toString()
      } catch {
        return undefined
      }
    },
  }
}
