/** What a token may be used for. `admin` includes the others, on all projects. */
export const tokenScopes = ['read', 'upload', 'delete', 'admin'] as const
export type TokenScope = (typeof tokenScopes)[number]

/**
 * A key for programs that acts for its owner, within its scopes and projects, and never beyond what the owner may. Only
 * the digest of its text is kept: the text has so many random bits that a slow hash would protect nothing more.
 */
export interface ApiToken {
  /** Part of the token's text, no secret. */
  readonly id: string
  /** SHA-256 of the token's text, in hexadecimal. */
  readonly sha256: string
  readonly owner: string
  /** What the owner calls it; may be empty. */
  readonly name: string
  /** In the order of `tokenScopes`; at least one. */
  readonly scopes: readonly TokenScope[]
  /** Normalised names and patterns such as `acme-*`; none means every project. */
  readonly projects: readonly string[]
  /** UTC to the second: `2026-11-21T19:44:28Z`. */
  readonly created: string
  /** From then on it is refused; null for never. */
  readonly expires: string | null
}
export interface StoredToken extends ApiToken {
  /** To some minutes, where it is recorded at all; null for never. */
  readonly lastUsed: string | null
}

/** The tokens of an access backend. */
export interface TokenStore {
  find(id: string): Promise<StoredToken | undefined>
  /** All, or those of one user: by owner, then the oldest first. */
  list(owner?: string): Promise<StoredToken[]>
  /** Absent where they are lines of the operator's configuration file: `formatConfigToken` makes those. */
  readonly writer?: TokenWriter
}

/** Each change is atomic and durable when its promise resolves. Tokens go with their owner. */
export interface TokenWriter {
  /** @throws {NotFound} when there is no such owner. @throws {AlreadyExists} for an id that is taken. */
  add(token: ApiToken): Promise<void>
  /** @returns whether it was there. */
  revoke(id: string): Promise<boolean>
  /** When tokens, by id, were used last. Never makes a recorded time older; unknown ids: nothing happens. */
  noteUses(uses: ReadonlyMap<string, string>): Promise<void>
  /** A use is worth a write when the recorded one is older than that. */
  readonly secondsBetweenUses: number
}

/** As times are kept, without fractions. */
export const formatTime = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`

/** @param now milliseconds since 1970 */
export const isExpired = ({expires}: Pick<ApiToken, 'expires'>, now: number): boolean =>
  expires !== null && Date.parse(expires) <= now

/** The order of `TokenStore.list` beyond the owner. */
export const byAge = (a: ApiToken, b: ApiToken): number =>
  a.created === b.created ? (a.id < b.id ? -1 : 1) : a.created < b.created ? -1 : 1

/** As a dump has it: two dumps of the same tokens are the same. */
export const withoutUse = ({
  id,
  owner,
  sha256,
  name,
  scopes,
  projects,
  created,
  expires,
}: ApiToken): ApiToken => ({
  ...{id, sha256, owner, name, scopes, projects, created, expires},
})
