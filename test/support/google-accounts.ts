import type {Certificate} from '../services/certificate.js'
import {startJsonServer, type JsonRequest, type JsonServer} from './https-json.js'

/** The hosts that give tokens to accounts of Google Cloud, and sign for them. */
export const googleAccountHosts = [
  'www.googleapis.com',
  'sts.googleapis.com',
  'iamcredentials.googleapis.com',
] as const

export interface GoogleAccounts extends JsonServer {
  readonly asked: JsonRequest[]
}

/** Plays the part of Google's services of tokens: workloads get one, keys of service accounts don't. */
export async function startGoogleAccounts(certificate: Certificate): Promise<GoogleAccounts> {
  const asked: JsonRequest[] = []
  const server = await startJsonServer(certificate, request => {
    asked.push(request)
    if (request.host === 'www.googleapis.com') {
      return {error: 'invalid_grant', error_description: 'Invalid JWT Signature.'}
    }
    if (request.host === 'iamcredentials.googleapis.com') return {signedBlob: 'c2lnbmF0dXJl'}
    const issued = {issued_token_type: 'urn:ietf:params:oauth:token-type:access_token', token_type: 'Bearer'}
    return {...issued, access_token: 'a token of Google', expires_in: 3600}
  })
  return {...server, asked}
}
