import {InvalidInput} from '../../errors.js'
import type {AclEntry, Permission, Principal} from '../access.js'
import type {ApiToken} from '../api-tokens/api-token.js'
import {tokenFieldNames, tokenOf} from '../api-tokens/token-fields.js'
import {quote} from '../names.js'
import {tokensMember} from './dump.js'

/** A lexical piece of JSON text. */
export interface Token {
  readonly kind: '{' | '}' | '[' | ']' | ':' | ',' | 'boolean' | 'null' | 'string' | 'number'
  readonly value: unknown
  /** In bytes. */
  readonly offset: number
}
/** Reads a value: is given each token that it asks for. `first` has been read already. */
type Reader<T = void> = Generator<undefined, T, Token>

/** Where a value is. It becomes text only for a message: a dump has millions of values. */
interface Path {
  readonly parent: Path | undefined
  readonly key: string | number
}
const top: Path = {parent: undefined, key: ''}
const at = (parent: Path, key: string | number): Path => ({parent, key})

/** `.groups["a b"][3]` */
function format({parent, key}: Path): string {
  if (!parent) return ''
  if (typeof key === 'number') return `${format(parent)}[${key}]`
  return `${format(parent)}${/^[a-z_]+$/i.test(key) ? `.${key}` : `[${quote(key)}]`}`
}

/** Of what we don't know and read over. */
const maxDepth = 100

/** Keys that a dump must have; `version` and `pending_users` may be missing. */
const required = ['allow_register', 'groups', 'users', 'packages'] as const

/**
 * What a dump looks like (COMPAT §5.11):
 *
 *     {"allow_register": bool, "version": text, "groups": {group: [user]},
 *      "users": [{"username", "admin", "password"}],
 *      "packages": {"users": {project: {user: [permission]}}, "groups": {project: {group: [permission]}}},
 *      "pending_users": [{"username", "password"}],
 *      "ppc_tokens": [{"id", "owner", "sha256", "name", "scopes", "projects", "created", "expires"}]}
 */
export function* readDump(emit: (entry: AclEntry) => void, notice: (text: string) => void): Reader {
  const seen = new Set<string>()
  yield* readObject(top, yield, function* (key, first) {
    const path = at(top, key)
    if (seen.has(key)) throw wrong(path, first, 'it is there twice')
    seen.add(key)
    switch (key) {
      case 'allow_register':
        if (first.kind !== 'boolean') throw wrong(path, first, 'expected true or false')
        emit({kind: 'registration', allowed: first.value === true})
        return
      case 'version':
        if (isUnknownVersion(first)) {
          const found = quote(String(first.value).slice(0, 20))
          throw wrong(path, first, `it is of version ${found}, and only the form of pypicloud 1.x is known`)
        }
        return yield* skip(path, first)
      case 'groups':
        return yield* readObject(path, first, function* (group, members) {
          emit({kind: 'group', name: group})
          yield* readTexts(at(path, group), members, username => emit({kind: 'member', group, username}))
        })
      case 'users':
        return yield* readArray(path, first, function* (user, userPath) {
          const fields = yield* readFields(userPath, user, userFields, notice)
          const {username, passwordHash} = accountOf(userPath, user, fields)
          const admin = fields.get('admin')
          if (admin !== undefined && typeof admin !== 'boolean') {
            throw wrong(at(userPath, 'admin'), user, 'expected true or false')
          }
          emit({kind: 'user', username, passwordHash, admin: admin ?? false})
        })
      case 'pending_users':
        return yield* readArray(path, first, function* (user, userPath) {
          const fields = yield* readFields(userPath, user, userFields, notice)
          emit({kind: 'pending', ...accountOf(userPath, user, fields)})
        })
      case tokensMember:
        return yield* readArray(path, first, function* (token, tokenPath) {
          const fields = yield* readFields(tokenPath, token, tokenFieldNames, notice)
          emit({kind: 'token', ...tokenFrom(tokenPath, token, fields)})
        })
      case 'packages':
        return yield* readPackages(path, first, emit, notice)
      default:
        notice(`${format(path)} was left out: no dump of pypicloud has it`)
        return yield* skip(path, first)
    }
  })
  for (const key of required) {
    if (!seen.has(key)) throw new InvalidInput(`this is not a dump of access rules: it has no "${key}"`)
  }
}

/** pypicloud takes any. One of a later generation may mean something else by the same words. */
const isUnknownVersion = ({value}: Token): boolean => Number(/^\d+/.exec(String(value))?.[0] ?? 0) > 1

function* readPackages(
  path: Path,
  first: Token,
  emit: (entry: AclEntry) => void,
  notice: (text: string) => void,
): Reader {
  const seen = new Set<string>()
  yield* readObject(path, first, function* (key, rules) {
    if (key !== 'users' && key !== 'groups') {
      notice(`${format(at(path, key))} was left out: no dump of pypicloud has it`)
      return yield* skip(at(path, key), rules)
    }
    if (seen.has(key)) throw wrong(at(path, key), rules, 'it is there twice')
    seen.add(key)
    yield* readObject(at(path, key), rules, function* (project, principals) {
      const projectPath = at(at(path, key), project)
      yield* readObject(projectPath, principals, (name, list) => {
        const principal: Principal = key === 'users' ? {user: name} : {group: name}
        return readRule(at(projectPath, name), list, permissions =>
          emit({kind: 'grant', project, principal, permissions}),
        )
      })
    })
  })
  for (const key of ['users', 'groups']) {
    if (!seen.has(key)) throw wrong(path, first, `it has no "${key}"`)
  }
}

// A generator function that is made anew for each project or user costs V8 a hidden class each, which lives until the next
// full collection: so these are made once, and arrow functions call them.

function* readRule(path: Path, first: Token, take: (permissions: Permission[]) => void): Reader {
  const permissions: Permission[] = []
  yield* readTexts(path, first, (word, token, index) => {
    if (word !== 'read' && word !== 'write') {
      throw wrong(at(path, index), token, 'expected "read" or "write"')
    }
    if (!permissions.includes(word)) permissions.push(word)
  })
  take(permissions)
}

/** A small object without structure below it. */
function* readFields(
  path: Path,
  first: Token,
  known: readonly string[],
  notice: (text: string) => void,
): Reader<ReadonlyMap<string, unknown>> {
  const fields = new Map<string, unknown>()
  yield* readObject(path, first, (key, value) => {
    if (fields.has(key)) throw wrong(at(path, key), value, 'it is there twice')
    fields.set(key, value.kind === '{' || value.kind === '[' ? undefined : value.value)
    if (!known.includes(key)) {
      notice(`${format(at(path, key))} was left out: no dump of pypicloud has it`)
    }
    return skip(at(path, key), value)
  })
  return fields
}

const userFields = ['username', 'admin', 'password'] as const

function accountOf(path: Path, token: Token, fields: ReadonlyMap<string, unknown>) {
  const username = fields.get('username')
  const password = fields.get('password')
  if (typeof username !== 'string') throw wrong(at(path, 'username'), token, 'expected text')
  if (typeof password !== 'string' && password !== null) {
    throw wrong(at(path, 'password'), token, 'expected a password hash or null')
  }
  return {username, passwordHash: password}
}

function tokenFrom(path: Path, token: Token, fields: ReadonlyMap<string, unknown>): ApiToken {
  try {
    return tokenOf(Object.fromEntries(fields))
  } catch (error) {
    if (error instanceof InvalidInput) throw wrong(path, token, error.message)
    throw error
  }
}

function* readObject(path: Path, first: Token, readValue: (key: string, first: Token) => Reader): Reader {
  if (first.kind !== '{') throw wrong(path, first, 'expected an object')
  let token = yield
  if (token.kind === '}') return
  for (;;) {
    if (token.kind !== 'string') throw wrong(path, token, 'expected a key')
    const key = String(token.value)
    const colon = yield
    if (colon.kind !== ':') throw wrong(path, colon, 'expected ":"')
    yield* readValue(key, yield)
    token = yield
    if (token.kind === '}') return
    if (token.kind !== ',') throw wrong(path, token, 'expected "," or "}"')
    token = yield
  }
}

function* readArray(path: Path, first: Token, readValue: (first: Token, path: Path) => Reader): Reader {
  if (first.kind !== '[') throw wrong(path, first, 'expected a list')
  let token = yield
  if (token.kind === ']') return
  for (let index = 0; ; index++) {
    if (token.kind === ']' || token.kind === ',') throw wrong(path, token, 'expected a value')
    yield* readValue(token, at(path, index))
    token = yield
    if (token.kind === ']') return
    if (token.kind !== ',') throw wrong(path, token, 'expected "," or "]"')
    token = yield
  }
}

/** A list of texts, which is what a dump has most of: without a generator for each. */
function* readTexts(
  path: Path,
  first: Token,
  take: (text: string, token: Token, index: number) => void,
): Reader {
  if (first.kind !== '[') throw wrong(path, first, 'expected a list')
  let token = yield
  if (token.kind === ']') return
  for (let index = 0; ; index++) {
    if (token.kind !== 'string') throw wrong(at(path, index), token, 'expected text')
    take(String(token.value), token, index)
    token = yield
    if (token.kind === ']') return
    if (token.kind !== ',') throw wrong(path, token, 'expected "," or "]"')
    token = yield
  }
}

/** Reads over a value without keeping any of it. */
function* skip(path: Path, first: Token, depth = 0): Reader {
  if (depth > maxDepth) throw wrong(path, first, 'it is nested too deeply')
  if (first.kind === '{') {
    yield* readObject(path, first, (_key, value) => skip(path, value, depth + 1))
  } else if (first.kind === '[') {
    yield* readArray(path, first, value => skip(path, value, depth + 1))
  } else if (!['string', 'number', 'boolean', 'null'].includes(first.kind)) {
    throw wrong(path, first, 'expected a value')
  }
}

/** Names what was found only if it is no text: that could be a hash. */
const wrong = (path: Path, token: Token, problem: string): InvalidInput => {
  const found = token.kind === 'string' ? 'text' : token.kind === 'number' ? 'a number' : token.kind
  const where = `${path === top ? 'at its top' : `at ${format(path)}`} (byte ${token.offset})`
  const also = problem.startsWith('expected') ? `found ${found}, ` : ''
  return new InvalidInput(`this is not a dump of access rules: ${where}: ${also}${problem}`)
}
