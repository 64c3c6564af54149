/*
 * What several keys say together. Read these instead of the keys:
 *
 *   pypi.allow_overwrite_groups, else pypi.allow_overwrite           overwriteGroups
 *   pypi.allow_delete_groups, else pypi.allow_delete                 deleteGroups
 *   pypi.fallback (mirror), pypi.always_show_upstream                fallbackMode
 *   pypi.fallback_base_url, else pypi.fallback_url, the scraper,
 *   pypi.upstream_username and pypi.upstream_password                upstreamOf
 *   pypi.stream_files, storage.disk_cache.dir                        streamsFiles
 */
import type {Config} from './config.js'
import type {Values} from './fields.js'
import {defaultUpstream, type coreFields} from './schema/core.js'

type Core = Values<typeof coreFields>

/** Who may replace a stored file by other bytes: groups, `everyone` and `authenticated` among them. */
export function overwriteGroups(core: Core): readonly string[] {
  return core.allowOverwriteGroups ?? (core.allowOverwrite ? ['authenticated'] : [])
}

/** Who may delete files of projects that they can write. */
export function deleteGroups(core: Core): readonly string[] {
  return core.allowDeleteGroups ?? (core.allowDelete === false ? [] : ['authenticated'])
}

export interface Fallback {
  readonly mode: 'redirect' | 'cache' | 'none'
  /** Pages of projects that this index has list upstream's files too. Means nothing with `none`. */
  readonly alwaysShowUpstream: boolean
}

/** `mirror` was documented, never worked, and means `cache` with `pypi.always_show_upstream`. */
export function fallbackMode(core: Core): Fallback {
  return core.fallback === 'mirror'
    ? {mode: 'cache', alwaysShowUpstream: true}
    : {mode: core.fallback, alwaysShowUpstream: core.alwaysShowUpstream}
}

/** Addresses of the upstream index, without a slash at the end. */
export interface Upstream {
  /** Request paths of ours are appended to it. Undefined with the deprecated `pypi.fallback_url`. */
  readonly baseUrl: string | undefined
  /** A project's page is below it. */
  readonly simpleUrl: string
  /** Files are looked up by the JSON API below `baseUrl` rather than on HTML pages. */
  readonly useJson: boolean
  /** Of this server at the upstream. The addresses never hold them: clients are sent there. */
  readonly credentials: {readonly username: string; readonly password: string} | undefined
}

export function upstreamOf(core: Core): Upstream {
  const {fallbackBaseUrl, fallbackUrl} = core
  const {url, credentials} = withoutUser(fallbackBaseUrl ?? fallbackUrl ?? defaultUpstream, core)
  if (fallbackBaseUrl === undefined && fallbackUrl !== undefined) {
    return {baseUrl: undefined, simpleUrl: url, useJson: false, credentials}
  }
  return {
    baseUrl: url,
    simpleUrl: `${url}/simple`,
    useJson: core.useJsonScraper ?? url === defaultUpstream,
    credentials,
  }
}

/** `https://user:password@host/path/` as its parts. The keys win over what the address says. */
function withoutUser(
  address: string,
  {upstreamUsername: user, upstreamPassword: password = ''}: Core,
): {url: string; credentials: Upstream['credentials']} {
  const [, scheme = '', named, rest = ''] = /^([a-z]+:\/\/)?(?:([^/?#]*)@)?(.*)$/is.exec(address.trim()) ?? []
  const url = `${scheme}${rest}`.replace(/\/+$/, '')
  if (user !== undefined) return {url, credentials: {username: user, password}}
  if (named === undefined) return {url, credentials: undefined}
  const [username = '', ...secret] = named.split(':')
  return {url, credentials: {username: decode(username), password: decode(secret.join(':'))}}
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Whether it is one that requests can be sent to. */
export function isHttpUrl(text: string): boolean {
  try {
    return /^https?:$/.test(new URL(text).protocol)
  } catch {
    return false
  }
}

/**
 * Whether files come through this server also where clients could fetch them from the storage. A disk cache means yes,
 * unless `pypi.stream_files` says otherwise in so many words.
 */
export function streamsFiles({core, settings}: Pick<Config, 'core' | 'settings'>): boolean {
  if (settings.has('pypi.stream_files')) return core.streamFiles
  return (settings.get('storage.disk_cache.dir')?.value ?? '') !== ''
}
