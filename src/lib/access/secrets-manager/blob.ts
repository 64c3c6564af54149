import {InvalidInput} from '../../errors.js'
import type {ApiToken} from '../api-tokens/api-token.js'
import {fieldsOf, tokenOf} from '../api-tokens/token-fields.js'
import {formatTree, parseTree, type Tree, type TreeMap} from './json.js'

/** What is in the secret can't be read as access rules. */
export class BadBlob extends Error {}

/** A mark of ours that pypicloud carries along: there is, or once was, an administrator (RULES 30). */
const hadAdminKey = 'ppc_had_admin'
/** API tokens, by id, which pypicloud carries along too. What of them is empty is left out. */
const tokensKey = 'ppc_tokens'
export const lastUsedKey = 'last_used'

/**
 * The rules as pypicloud keeps them in a secret (COMPAT §5.10):
 *
 *     {"users": {user: hash}, "groups": {group: [user]},
 *      "packages": {project: {"groups": {group: [permission]}, "users": {user: [permission]}}},
 *      "pending_users": {user: hash}, "admins": [user], "allow_registration": bool}
 *
 * The tree itself is what is read and changed, so that members which nobody here knows stay. Checked when it is parsed.
 */
export class Blob {
  private constructor(private readonly root: TreeMap) {}

  /** @throws {BadBlob} saying what is wrong, without quoting what may be a hash. */
  static parse(text: string): Blob {
    let root: Tree
    try {
      root = parseTree(text)
    } catch (cause) {
      throw new BadBlob('it is no JSON', {cause})
    }
    if (!(root instanceof Map)) throw new BadBlob('expected a JSON object')
    // in pypicloud's order, which fills in what is missing as soon as it reads
    for (const key of ['users', 'groups', 'packages', 'pending_users']) {
      if (!root.has(key)) root.set(key, new Map())
    }
    if (!root.has('admins')) root.set('admins', [])
    const blob = new Blob(root)
    blob.#check()
    return blob
  }

  format(): string {
    return formatTree(this.root)
  }

  get users(): Map<string, string> {
    return this.root.get('users') as Map<string, string>
  }
  get pending(): Map<string, string> {
    return this.root.get('pending_users') as Map<string, string>
  }
  get groups(): Map<string, string[]> {
    return this.root.get('groups') as Map<string, string[]>
  }
  get admins(): string[] {
    return this.root.get('admins') as string[]
  }
  /** By project as it is spelt. */
  get projects(): Map<string, TreeMap> {
    return this.root.get('packages') as Map<string, TreeMap>
  }
  get allowsRegistration(): boolean {
    return this.root.get('allow_registration') === true
  }
  set allowsRegistration(allowed: boolean) {
    if (allowed !== this.allowsRegistration) this.root.set('allow_registration', allowed)
  }
  /** True too while the list names somebody: pypicloud leaves deleted users in it. */
  get hadAdmin(): boolean {
    return this.root.get(hadAdminKey) === true || this.admins.length > 0
  }
  markAdmin(): void {
    this.root.set(hadAdminKey, true)
  }

  /** Undefined before the first one. */
  get tokens(): Map<string, TreeMap> | undefined {
    return this.root.get(tokensKey) as Map<string, TreeMap> | undefined
  }
  setToken(token: ApiToken, lastUsed: string | null = null): void {
    const {id, ...fields} = {...fieldsOf(token), [lastUsedKey]: lastUsed}
    const tokens: TreeMap = (this.tokens as TreeMap | undefined) ?? new Map<string, Tree>()
    tokens.set(id, new Map<string, Tree>(Object.entries(fields).filter(([, value]) => value)))
    this.root.set(tokensKey, tokens)
  }

  has(username: string): boolean {
    return this.users.has(username) || this.pending.has(username)
  }

  /** The rules of one spelling of a project for users or groups; to be made where there are none. */
  rulesOf(project: string, kind: 'user' | 'group'): Map<string, string[]> | undefined {
    return this.projects.get(project)?.get(`${kind}s`) as Map<string, string[]> | undefined
  }
  makeRulesOf(project: string, kind: 'user' | 'group'): Map<string, string[]> {
    let parts = this.projects.get(project)
    if (!parts) this.projects.set(project, (parts = new Map<string, Tree>()))
    for (const key of ['groups', 'users']) if (!parts.has(key)) parts.set(key, new Map<string, Tree>())
    return parts.get(`${kind}s`) as Map<string, string[]>
  }

  #check(): void {
    for (const key of ['users', 'pending_users']) {
      for (const [name, hash] of mapAt(this.root, [key])) {
        if (typeof hash !== 'string') throw wrong([key, name], 'a password hash')
      }
    }
    for (const name of mapAt(this.root, ['groups']).keys()) checkTexts(this.root, ['groups', name])
    checkTexts(this.root, ['admins'])
    if (this.tokens) checkTokens(this.root)
    for (const project of mapAt(this.root, ['packages']).keys()) {
      const parts = mapAt(this.root, ['packages', project])
      for (const kind of ['groups', 'users'].filter(key => parts.has(key))) {
        for (const name of mapAt(this.root, ['packages', project, kind]).keys()) {
          checkTexts(this.root, ['packages', project, kind, name])
        }
      }
    }
  }
}

const valueAt = (root: TreeMap, path: readonly string[]): Tree | undefined =>
  path.reduce<Tree | undefined>((tree, key) => (tree instanceof Map ? tree.get(key) : undefined), root)

function mapAt(root: TreeMap, path: readonly string[]): TreeMap {
  const found = valueAt(root, path)
  if (!(found instanceof Map)) throw wrong(path, 'an object')
  return found
}

function checkTokens(root: TreeMap): void {
  for (const id of mapAt(root, [tokensKey]).keys()) {
    try {
      tokenOf({...Object.fromEntries(mapAt(root, [tokensKey, id])), id})
    } catch (error) {
      if (error instanceof InvalidInput) throw wrong([tokensKey, id], 'an API token')
      throw error
    }
  }
}

function checkTexts(root: TreeMap, path: readonly string[]): void {
  const found = valueAt(root, path)
  if (!Array.isArray(found) || found.some(item => typeof item !== 'string'))
    throw wrong(path, 'a list of names')
}

const wrong = (path: readonly string[], expected: string): BadBlob =>
  new BadBlob(`expected ${expected} at ${path.map(key => JSON.stringify(key.slice(0, 80))).join('.')}`)
