import {byCodePoint} from '../../by-code-point.js'
import {NotFound} from '../../errors.js'
import {AlreadyExists} from '../access.js'
import {
  byAge,
  type ApiToken,
  type StoredToken,
  type TokenStore,
  type TokenWriter,
} from '../api-tokens/api-token.js'
import {tokenOf} from '../api-tokens/token-fields.js'
import {quote} from '../names.js'
import {lastUsedKey, type Blob} from './blob.js'
import type {Committer} from './committer.js'
import type {CurrentRules} from './current.js'

/** API tokens in a member of ours of the secret. */
export class SecretsManagerTokens implements TokenStore, TokenWriter {
  readonly writer: TokenWriter = this
  /** Each write makes a version, of which AWS keeps a hundred for a day. */
  readonly secondsBetweenUses = 6 * 3600

  constructor(
    private readonly current: CurrentRules,
    private readonly committer: Committer,
  ) {}

  async find(id: string): Promise<StoredToken | undefined> {
    const {blob} = await this.current.get()
    return readToken(blob, id)
  }

  async list(owner?: string): Promise<StoredToken[]> {
    const {blob} = await this.current.get()
    const tokens = listTokens(blob).filter(token => owner === undefined || token.owner === owner)
    return tokens.sort((a, b) => byCodePoint(a.owner, b.owner) || byAge(a, b))
  }

  add(token: ApiToken): Promise<void> {
    return this.committer.commit(blob => {
      if (!blob.has(token.owner)) throw new NotFound(`there is no user ${quote(token.owner)}`)
      if (blob.tokens?.has(token.id)) throw new AlreadyExists(`there is an API token ${token.id} already`)
      blob.setToken(token)
    })
  }

  revoke(id: string): Promise<boolean> {
    return this.committer.commit(blob => blob.tokens?.delete(id) ?? false)
  }

  noteUses(uses: ReadonlyMap<string, string>): Promise<void> {
    return this.committer.commit(blob => {
      for (const [id, time] of uses) {
        const token = readToken(blob, id)
        if (token && (token.lastUsed ?? '') < time) blob.tokens?.get(id)?.set(lastUsedKey, time)
      }
    })
  }
}

/** Of users that exist: pypicloud leaves those of others behind. */
export const listTokens = (blob: Blob): StoredToken[] =>
  [...(blob.tokens?.keys() ?? [])].flatMap(id => readToken(blob, id) ?? [])

function readToken(blob: Blob, id: string): StoredToken | undefined {
  const fields = blob.tokens?.get(id)
  if (!fields) return undefined
  const token = tokenOf({...Object.fromEntries(fields), id})
  const lastUsed = fields.get(lastUsedKey)
  return blob.has(token.owner)
    ? {...token, lastUsed: typeof lastUsed === 'string' ? lastUsed : null}
    : undefined
}
