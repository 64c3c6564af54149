import type {Json} from '../../python-json.js'
import {errorTypes, type Answer} from '../routing/answers.js'
import {pathsOf, type Argument, type Route} from '../routing/route.js'
import {schemas, type SchemaName} from '../routing/schemas.js'
import {csrfHeader} from '../sessions/sessions.js'

type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'patch' | 'trace'
type Item = Record<string, Json>
const anyMethod: readonly Method[] = ['get', 'put', 'post', 'delete', 'options', 'patch', 'trace']

export interface Described {
  /** Of this server. */
  readonly version: string
  /** The name of the cookie of sessions; undefined where there are none. */
  readonly cookie: string | undefined
}

/** The OpenAPI 3.1 description of a table of routes. */
export function openApiDocument(table: readonly Route[], {version, cookie}: Described): Item {
  const paths: Record<string, Record<string, Item>> = {}
  for (const row of table) {
    for (const path of pathsOf(row)) {
      const template = templateOf(path)
      const item = (paths[template] ??= {})
      for (const method of methodsOf(row)) {
        const one = operation(row, method, {template, hasSessions: cookie !== undefined})
        const other = item[method]
        item[method] = other ? both(other, one) : one
      }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Python package index',
      version,
      description:
        'GET answers HEAD too. Arguments may come in the query, in a form or in a JSON object. Paths answer with ' +
        'and without a slash at their end, or redirect to the one with it.',
    },
    servers: [{url: '.'}],
    paths,
    components: {
      schemas: schemas as unknown as Json,
      securitySchemes: {
        basic: {type: 'http', scheme: 'basic'},
        token: {
          ...{type: 'http', scheme: 'bearer'},
          description: 'An API token. It is also the password of the user __token__ in basic.',
        },
        ...(cookie !== undefined && sessionSchemes(cookie)),
      },
      responses: {Problem: response({about: 'It did not work.', types: errorTypes})},
    },
  }
}

const sessionSchemes = (cookie: string): Item => ({
  session: {...{type: 'apiKey', in: 'cookie', name: cookie}, description: 'The cookie that a log-in gives.'},
  csrf: {
    ...{type: 'apiKey', in: 'header', name: csrfHeader},
    description: 'What the log-in gave as csrf_token: by cookie alone nothing is changed.',
  },
})

/** Any of them will do. */
const logins = (method: Method, hasSessions: boolean): Json[] => [
  {basic: []},
  {token: []},
  ...(hasSessions ? [{session: [], ...(method !== 'get' && {csrf: []})}] : []),
]

/** `/:project/json` → `/{project}/json`. */
export const templateOf = (path: string): string => path.replace(/:(\w+)/g, '{$1}')

function methodsOf({method}: Route): readonly Method[] {
  if (method === 'ANY') return anyMethod
  const methods = typeof method === 'string' ? [method] : method
  return methods.map(name => name.toLowerCase()).filter((name): name is Method => isMethod(name))
}
const isMethod = (name: string): name is Method => (anyMethod as readonly string[]).includes(name)

function operation(
  row: Route,
  method: Method,
  {template, hasSessions}: {readonly template: string; readonly hasSessions: boolean},
): Item {
  const {about, who} = row
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const sent = row.arguments ?? []
  const inBody = !['get', 'delete', 'trace'].includes(method)
  const body = row.body ? {[row.body.type]: {schema: {type: 'string'}}} : inBody ? formOf(sent) : undefined
  const known = logins(method, hasSessions)
  const answers = {
    ...(sent.some(isRequired) && {400: problem}),
    ...(who !== 'anybody' && who !== 'anybody, filtered' && {401: problem, 403: problem}),
  }
  return {
    operationId: `${method} ${template}`,
    summary: about,
    description: `For ${audience[who]}.`,
    parameters: [
      ...names.map(name => ({name, in: 'path', required: true, schema: {type: 'string'}})),
      ...(inBody ? [] : sent.map(queryParameter)),
    ],
    ...(body && {requestBody: {required: sent.some(isRequired) || row.body !== undefined, content: body}}),
    responses: {
      ...Object.fromEntries(
        Object.entries(row.answers).map(([status, answer]) => [status, response(answer)]),
      ),
      ...answers,
      default: problem,
    },
    security: who === 'anybody' ? [] : [...(who === 'anybody, filtered' ? [{}] : []), ...known],
  }
}

const problem = {$ref: '#/components/responses/Problem'}
const audience: Readonly<Record<Route['who'], string>> = {
  anybody: 'anybody',
  'anybody, filtered': 'anybody; shows what the reader may see',
  reader: 'those who may read the project',
  writer: 'those who may write the project',
  user: 'those who are logged in',
  admin: 'administrators',
}

const isRequired = ({optional}: Argument): boolean => !optional
const typeOf = ({type}: Argument): Item =>
  type === 'file' ? {type: 'string', contentEncoding: 'binary'} : {type: type ?? 'string'}
const queryParameter = (argument: Argument): Item => ({
  name: argument.name,
  in: 'query',
  description: argument.about,
  required: isRequired(argument),
  schema: typeOf(argument),
})

function formOf(sent: readonly Argument[]): Item | undefined {
  if (sent.length === 0) return undefined
  const schema = {
    type: 'object',
    properties: Object.fromEntries(
      sent.map(argument => [argument.name, {...typeOf(argument), description: argument.about}]),
    ),
    required: sent.filter(isRequired).map(({name}) => name),
  }
  const types = sent.some(({type}) => type === 'file')
    ? ['multipart/form-data']
    : ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data']
  return Object.fromEntries(types.map(type => [type, {schema}]))
}

function response({about, types, schema}: Answer): Item {
  return {
    description: about,
    ...(types && {
      content: Object.fromEntries(
        types.map(type => [type, type.startsWith('application/json') ? {schema: schemaOf(schema)} : {}]),
      ),
    }),
  }
}

const reference = (name: SchemaName): Item => ({$ref: `#/components/schemas/${name}`})
const schemaOf = (schema: Answer['schema'] = 'Problem'): Item =>
  typeof schema === 'string' ? reference(schema) : {type: 'array', items: reference(schema.listOf)}

/** Two rows of one address, told apart by the type of the body. */
function both(one: Item, other: Item): Item {
  const content = (item: Item): Item =>
    ((item['requestBody'] as Item | undefined)?.['content'] as Item | undefined) ?? {}
  return {
    ...one,
    description: `${textOf(one['summary'])} ${textOf(other['summary'])}`,
    requestBody: {content: {...content(one), ...content(other)}},
    responses: mergeResponses(one['responses'] as Item, other['responses'] as Item),
  }
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

function mergeResponses(one: Item, other: Item): Item {
  const merged = {...other, ...one}
  for (const [status, answer] of Object.entries(other)) {
    const [a, b] = [one[status] as Item | undefined, answer as Item]
    if (!a?.['content'] || !b['content']) continue
    merged[status] = {...a, content: {...(a['content'] as Item), ...(b['content'] as Item)}}
  }
  return merged
}
