/** What a field needs to say about itself: the parser, the errors, ppc-make-config and the reference all read it. */
export interface FieldOptions {
  /** One or two sentences for the configuration reference. */
  readonly help: string
  /** Must be there and not empty. */
  readonly required?: boolean
  /** Why it is deprecated and what to write instead: shown as a warning where it is used. */
  readonly deprecated?: string
  /** Accepted because old files have it, and without effect here: why. Shown as a warning where it is used. */
  readonly ignored?: string
  /** Never shown in messages. */
  readonly secret?: boolean
  /** The version of pypicloud that introduced it, or `ours`. */
  readonly since?: string
  /** An environment variable that stands in when neither the file nor `PPC_…` has the key. */
  readonly environment?: string
}

/** One key of the app section. `T` includes `undefined` only where there is no default. */
export interface Field<T> extends FieldOptions {
  /** `storage.expire_after`. A trailing `*` declares a family: `user.*`. */
  readonly key: string
  /** For the reference and for errors: `whole seconds`, `true or false`, `one of file, s3 …`. */
  readonly accepts: string
  readonly default: T
  /** @throws {TypeError} when `text` is not what `accepts` says. */
  parse(text: string): T
  /** What deserves a warning although `parse` takes it. */
  remark?(text: string): string | undefined
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- fields of every type share one table
export type Fields = Readonly<Record<string, Field<any>>>
export type Values<F extends Fields> = {readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never}

type Required = FieldOptions & {readonly required: true}
type WithDefault<T> = FieldOptions & {readonly default: T}

function field<T>(
  key: string,
  accepts: string,
  fallback: T,
  parse: (text: string) => T,
  options: FieldOptions,
): Field<T> {
  return {...options, key, accepts, default: fallback, parse}
}

/** An empty text counts as not set: an empty signing key must not sign. */
export const text = (key: string, options: Required | WithDefault<string>): Field<string> => {
  const fallback = 'default' in options ? options.default : ''
  return field(key, 'text', fallback, value => value || fallback, options)
}
/** What keys of a store begin with. URLs have no `.` and `..` between slashes: libraries and clients resolve them. */
export const keyPrefix = (key: string, options: WithDefault<string>): Field<string> => {
  const parse = (value: string) => {
    if (/(?:^|\/)\.\.?\//.test(value)) throw new TypeError(value)
    return value || options.default
  }
  return field(key, 'text without "." or ".." between slashes', options.default, parse, options)
}
export const optionalText = (key: string, options: FieldOptions): Field<string | undefined> =>
  field<string | undefined>(key, 'text', undefined, value => value || undefined, options)
/** All keys with one beginning, whose ends the operator chooses. Read by `config.family()`. */
export const family = (key: `${string}.*`, options: FieldOptions): Field<undefined> =>
  field<undefined>(key, 'text', undefined, () => undefined, options)

const trueWords = /^(?:t|true|y|yes|on|1)$/i
const falseWords = /^(?:f|false|n|no|off|0)$/i
const isTrue = (value: string) => trueWords.test(value.trim())
const boolRemark = (value: string) =>
  isTrue(value) || falseWords.test(value.trim()) ? undefined : 'expected true or false, taken as false'

/** `t true y yes on 1` in any case is true, as in pyramid's settings; every other text is false there, so it is here. */
export const bool = (key: string, options: WithDefault<boolean>): Field<boolean> => ({
  ...field(key, 'true or false', options.default, isTrue, options),
  remark: boolRemark,
})
/** Undefined when absent, for keys whose default depends on other keys. */
export const optionalBool = (key: string, options: FieldOptions): Field<boolean | undefined> => ({
  ...field<boolean | undefined>(key, 'true or false', undefined, isTrue, options),
  remark: boolRemark,
})

interface Range {
  readonly min?: number
  readonly max?: number
}
/** Python's `int()`: blanks around, a sign and single `_` between digits are fine. */
function integer(value: string, {min = -Infinity, max = Number.MAX_SAFE_INTEGER}: Range): number {
  const number = Number(value.trim().replaceAll('_', ''))
  if (!/^\s*[-+]?\d+(?:_\d+)*\s*$/.test(value) || number < min || number > max) throw new TypeError(value)
  return number
}
function accepted(unit: string, {min, max}: Range): string {
  if (min !== undefined && max !== undefined) return `${unit} from ${min} to ${max}`
  if (min === undefined && max === undefined) return unit
  return min === undefined ? `${unit} up to ${max ?? ''}` : `${unit} from ${min}`
}
export const int = (key: string, options: WithDefault<number> & Range): Field<number> =>
  field(key, accepted('a whole number', options), options.default, value => integer(value, options), options)
export const optionalInt = (key: string, options: FieldOptions & Range): Field<number | undefined> =>
  field<number | undefined>(
    key,
    accepted('a whole number', options),
    undefined,
    value => integer(value, options),
    options,
  )
export const seconds = (key: string, options: WithDefault<number>): Field<number> =>
  field(key, 'whole seconds', options.default, value => integer(value, {min: 0}), options)
export const optionalSeconds = (key: string, options: FieldOptions): Field<number | undefined> =>
  field<number | undefined>(key, 'whole seconds', undefined, value => integer(value, {min: 0}), options)

/** Decimal units, as disks are sold, or binary ones: `10GB`, `1.5 TiB`, plain bytes. */
function byteSize(value: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?\s*$/i.exec(value)
  const power = ' kmgt'.indexOf(match?.[2]?.toLowerCase() ?? ' ')
  const bytes = Math.floor(Number(match?.[1]) * (match?.[3] ? 1024 : 1000) ** power)
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new TypeError(value)
  return bytes
}
/** In bytes. */
export const size = (key: string, options: WithDefault<number>): Field<number> =>
  field(key, 'a size such as 500MB, 10GB or 1TiB', options.default, byteSize, options)

const names = (value: string): readonly string[] => value.split(/\s+/).filter(Boolean)
const listRemark = (value: string) =>
  value.includes(',') ? 'blanks and line breaks separate names, a comma does not' : undefined

/** Lines and blanks separate; commas don't. */
export const list = (key: string, options: WithDefault<readonly string[]>): Field<readonly string[]> => ({
  ...field(key, 'names, one a line or separated by blanks', options.default, names, options),
  remark: listRemark,
})
/** Undefined when absent, which is not the same as empty. */
export const optionalList = (key: string, options: FieldOptions): Field<readonly string[] | undefined> => ({
  ...field<readonly string[] | undefined>(
    key,
    'names, one a line or separated by blanks',
    undefined,
    names,
    options,
  ),
  remark: listRemark,
})

const trimmedLines = (value: string): readonly string[] =>
  value
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)
/** Only lines separate, so that values may hold blanks. */
export const lines = (key: string, options: WithDefault<readonly string[]>): Field<readonly string[]> =>
  field(key, 'one value a line', options.default, trimmedLines, options)

/** `name = value` lines. */
export const table = (key: string, options: FieldOptions): Field<ReadonlyMap<string, string>> =>
  field<ReadonlyMap<string, string>>(
    key,
    'one "name = value" a line',
    new Map(),
    value =>
      new Map(
        trimmedLines(value).map((line): [string, string] => {
          const equals = line.indexOf('=')
          if (equals < 1) throw new TypeError(value)
          return [line.slice(0, equals).trim(), line.slice(equals + 1).trim()]
        }),
      ),
    options,
  )

export const choice = <const C extends string>(
  key: string,
  choices: readonly C[],
  options: WithDefault<NoInfer<C>>,
): Field<C> =>
  field<C>(key, `one of ${choices.join(', ')}`, options.default, value => chosen(choices, value), options)
export const optionalChoice = <const C extends string>(
  key: string,
  choices: readonly C[],
  options: FieldOptions,
): Field<C | undefined> =>
  field<C | undefined>(
    key,
    `one of ${choices.join(', ')}`,
    undefined,
    value => (value === '' ? undefined : chosen(choices, value)),
    options,
  )
function chosen<C extends string>(choices: readonly C[], value: string): C {
  const found = choices.find(candidate => candidate === value.trim())
  if (found === undefined) throw new TypeError(value)
  return found
}

/** boto's `verify`: false switches certificate checks off, a path names the authorities, absent or true checks. */
export const verify = (key: string, options: FieldOptions): Field<string | boolean> =>
  field<string | boolean>(
    key,
    'false, or the path of a file with certificates',
    true,
    value => (falseWords.test(value.trim()) ? false : isTrue(value) || value === '' ? true : value),
    options,
  )
