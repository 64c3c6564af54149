import {tokenScopes} from '../../access/api-tokens/api-token.js'

/** JSON Schemas of what routes answer, by the name that the OpenAPI document gives them. */
const text = {type: 'string'} as const
const maybeText = {type: ['string', 'null']} as const
const flag = {type: 'boolean'} as const
const object = (properties: Record<string, unknown>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter(name => !optional.includes(name)),
})
const listOf = (items: unknown) => ({type: 'array', items})
const permission = {enum: ['read', 'write']} as const

const apiToken = {
  id: text,
  user: text,
  name: text,
  scopes: listOf({enum: tokenScopes}),
  projects: {...listOf(text), description: 'names and patterns; none means every project'},
  created: text,
  expires: maybeText,
  last_used: {...maybeText, description: 'to some minutes, where it is recorded'},
}

export const schemas = {
  Text: text,
  Status: object({status: text}),
  Readiness: object({status: {enum: ['ok', 'failing', 'ending']}, access: text, cache: text, storage: text}),
  Health: object({access: text, cache: text, storage: text}),
  Package: object({
    name: text,
    filename: text,
    last_modified: {type: 'integer', description: 'seconds since 1970'},
    version: text,
    url: text,
    summary: maybeText,
    metadata: object(
      {requires_python: text, hash_sha256: text, hash_md5: text, uploader: text, summary: text},
      ['requires_python', 'hash_sha256', 'hash_md5', 'uploader', 'summary'],
    ),
  }),
  Projects: object({
    packages: listOf({
      anyOf: [text, object({name: text, last_modified: {type: 'integer'}, summary: maybeText})],
    }),
  }),
  Files: object({packages: listOf({$ref: '#/components/schemas/Package'}), write: flag}),
  Fetched: object({
    pkgs: listOf({$ref: '#/components/schemas/Package'}),
    skipped: listOf(object({requirement: text, reason: text})),
  }),
  LegacyProject: object(
    {
      info: object({name: text}),
      releases: {type: 'object', additionalProperties: listOf({type: 'object'})},
      urls: listOf({type: 'object'}),
    },
    ['urls'],
  ),
  Next: object(
    {
      next: {...text, description: 'the address to go on with'},
      csrf_token: {...text, description: 'for the header X-CSRF-Token of changes by cookie'},
    },
    ['csrf_token'],
  ),
  ProjectState: object(
    {name: text, status: {enum: ['active', 'archived', 'quarantined', 'deprecated']}, reason: text},
    ['reason'],
  ),
  Yanked: object({name: text, yanked: listOf(object({filename: text, version: text, reason: maybeText}))}),
  User: object({username: text, admin: flag}),
  UserWithGroups: {
    anyOf: [object({username: text, admin: flag, groups: listOf(text)}), {type: 'null'}],
  },
  Group: object({
    members: listOf(text),
    packages: listOf({$ref: '#/components/schemas/Grant'}),
  }),
  Grant: object({package: text, permissions: listOf(permission)}),
  ProjectRules: object({
    user: listOf(object({username: text, permissions: listOf(permission)})),
    group: listOf(object({group: text, permissions: listOf(permission)})),
  }),
  ApiToken: object(apiToken),
  NewApiToken: object({
    token: {...text, description: 'what the client sends; it is shown this once'},
    ...apiToken,
  }),
  ApiTokens: object({tokens: listOf({$ref: '#/components/schemas/ApiToken'})}),
  SignupToken: object({token: text, token_url: text}),
  Rebuild: object({state: text}, ['state']),
  Coded: object({code: {type: 'integer'}, message: text}),
  Problem: {
    anyOf: [
      object({error: text, message: text}),
      object({message: text, code: text, title: text}),
      {$ref: '#/components/schemas/Coded'},
    ],
  },
  OpenApi: {type: 'object'},
} as const

export type SchemaName = keyof typeof schemas
