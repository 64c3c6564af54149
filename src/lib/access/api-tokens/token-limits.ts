import {nameMatcher} from '../../packaging/names.js'
import type {Identity} from '../identity.js'
import type {ApiToken, TokenScope} from './api-token.js'

/** How far a token reaches, of what its owner may. */
export class TokenLimits {
  readonly tokenId: string
  /** The same text for tokens that let the same owner see the same. */
  readonly key: string
  readonly #scopes: readonly TokenScope[]
  readonly #matches: (project: string) => boolean

  constructor(
    {id, scopes, projects}: Pick<ApiToken, 'id' | 'scopes' | 'projects'>,
    readonly owner: Identity,
  ) {
    this.tokenId = id
    this.key = JSON.stringify([owner.username, owner.admin, scopes, projects])
    this.#scopes = scopes
    this.#matches = projects.length === 0 ? () => true : nameMatcher(projects)
  }

  /** @param project normalised */
  allows(scope: TokenScope, project: string): boolean {
    return this.#scopes.includes('admin') || (this.#scopes.includes(scope) && this.#matches(project))
  }
}
