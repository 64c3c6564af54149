import {VERSION_PATTERN} from '@renovatebot/pep440/lib/version.js'
import {growingLru} from '../growing-lru.js'

/**
 * The library's grammar, our keys: its numbers are doubles, so that it takes `1.0+12e3` for `1.0+12000` and two dates
 * of 17 digits for one.
 */
const pep440 = new RegExp(`^${VERSION_PATTERN}$`, 'i')

interface Pep440Version {
  readonly epoch: string
  readonly release: readonly string[]
  readonly pre: readonly [letter: 'a' | 'b' | 'rc', number: string] | undefined
  readonly post: string | undefined
  readonly dev: string | undefined
  readonly local: readonly string[] | undefined
}

const preLetters: Readonly<Record<string, 'a' | 'b' | 'rc'>> = {a: 'a', alpha: 'a', b: 'b', beta: 'b'}

/** Numbers stay digits, without leading zeros. */
function parsePep440(version: string): Pep440Version | undefined {
  const groups = pep440.exec(version)?.groups as Record<string, string | undefined> | undefined
  if (groups === undefined) return undefined
  const letter = groups['pre_l']?.toLowerCase()
  const isPost = groups['post_n1'] !== undefined || groups['post_l'] !== undefined
  return {
    epoch: plainNumber(groups['epoch']),
    release: (groups['release'] ?? '').split('.').map(plainNumber),
    pre: letter === undefined ? undefined : [preLetters[letter] ?? 'rc', plainNumber(groups['pre_n'])],
    post: isPost ? plainNumber(groups['post_n1'] ?? groups['post_n2']) : undefined,
    dev: groups['dev_l'] === undefined ? undefined : plainNumber(groups['dev_n']),
    local: groups['local']
      ?.toLowerCase()
      .split(/[-_.]/)
      .map(part => (isNumber(part) ? plainNumber(part) : part)),
  }
}

const isNumber = (text: string): boolean => /^\d+$/.test(text)
const plainNumber = (digits = '0'): string => digits.replace(/^0+(?=\d)/, '')

/** The normal form of a PEP 440 version, or undefined for any other. `v1.0-RC.1` gives `1.0rc1`; zeros at the end stay. */
export function canonicalVersion(version: string): string | undefined {
  if (/^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*$/.test(version)) return version // most are
  const parsed = parsePep440(version)
  if (parsed === undefined) return undefined
  const {epoch, release, pre, post, dev, local} = parsed
  return [
    epoch === '0' ? '' : `${epoch}!`,
    release.join('.'),
    pre?.join('') ?? '',
    post === undefined ? '' : `.post${post}`,
    dev === undefined ? '' : `.dev${dev}`,
    local === undefined ? '' : `+${local.join('.')}`,
  ].join('')
}

/** Whether two spellings mean one release: by PEP 440 where both are of it (`1.0` and `1.0.0`), else letter by letter. */
export function sameVersion(a: string, b: string): boolean {
  if (a === b) return true
  return versionKey(a).startsWith(pep440Mark) && versionKey(a) === versionKey(b)
}

/**
 * Ascending: legacy versions, which PEP 440 doesn't know (`2004d`, `1.0-SNAPSHOT`), below all others. 0 for two spellings of
 * one version. Ordering as pypicloud 1.3.12 with setuptools < 66.
 */
export function compareVersions(a: string, b: string): number {
  const keyA = versionKey(a)
  const keyB = versionKey(b)
  return keyA < keyB ? -1 : keyA > keyB ? 1 : 0
}

/** Ascending, each key made once. */
export const sortedVersions = (versions: Iterable<string>): string[] =>
  Array.from(versions, version => ({version, key: versionKey(version)}))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({version}) => version)

/** Keys of the versions compared last. Longer ones than any release has are not kept, so that memory stays small. */
const keys = growingLru<string>(20_000)
const longestKept = 100

/** A text that sorts, by `<`, as the version does. */
export function versionKey(version: string): string {
  const known = keys.get(version)
  if (known !== undefined) return known
  const parsed = parsePep440(version)
  const key = parsed === undefined ? legacyMark + legacyKey(version) : pep440Mark + pep440Key(parsed)
  if (version.length <= longestKept) keys.set(version, key)
  return key
}

const legacyMark = '0'
const pep440Mark = '1'
// In keys, an end sorts before whatever could follow.
const end = '\u0000'

/** A number of any length: how many digits it has, then the digits. */
const numberKey = (digits: string): string =>
  String.fromCharCode(Math.min(0xffff, 0x100 + digits.length)) + digits

/** As `packaging.version._cmpkey`: 1.0.dev1 < 1.0a1.dev1 < 1.0a1 < 1.0 < 1.0+local < 1.0.post1. */
function pep440Key({epoch, release, pre, post, dev, local}: Pep440Version): string {
  let significant = release.length
  while (significant > 0 && release[significant - 1] === '0') significant -= 1
  const devBeforeAll = pre === undefined && post === undefined && dev !== undefined
  return [
    numberKey(epoch),
    ...release.slice(0, significant).map(numberKey),
    end,
    pre === undefined ? (devBeforeAll ? ' ' : '~') : pre[0] + numberKey(pre[1]),
    post === undefined ? ' ' : `p${numberKey(post)}`,
    dev === undefined ? '~' : `d${numberKey(dev)}`,
    ...(local ?? []).map(part => (isNumber(part) ? numberKey(part) : part + end)),
    end,
  ].join('')
}

const legacyWords = new Map([
  ['pre', 'c'],
  ['preview', 'c'],
  ['rc', 'c'],
  ['dev', '@'],
  ['-', 'final-'],
])

/** As setuptools before 66: `pkg_resources.extern.packaging.version.LegacyVersion`. */
function legacyKey(version: string): string {
  const pieces: string[] = []
  for (const part of [...version.toLowerCase().split(/(\d+|[a-z]+|\.|-)/), 'final']) {
    if (part === '' || part === '.') continue
    if (/^\d/.test(part)) {
      pieces.push(part.padStart(8, '0'))
      continue
    }
    const piece = `*${legacyWords.get(part) ?? part}`
    if (piece < '*final') while (pieces.at(-1) === '*final-') pieces.pop()
    while (pieces.at(-1) === '00000000') pieces.pop()
    pieces.push(piece)
  }
  return pieces.map(piece => piece + end).join('')
}

/** Whether a release may be called so: PEP 440, or a legacy version that is no danger in paths, keys and links. */
export const isVersion = (version: string): boolean =>
  version.length <= 200 && /^[a-z0-9][a-z0-9_.!+-]*$/i.test(version) && !version.includes('..')
