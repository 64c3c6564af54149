import type {CoreMetadata} from '../../packaging/metadata.js'
import type {FileDetail} from './project-detail.js'

/** What the older JSON says of a release: core metadata under the names that PyPI has for its fields. */
export interface LegacyInfo {
  readonly name: string
  readonly version?: string
  readonly license: string
  readonly classifiers: readonly string[]
  readonly yanked: boolean
  readonly yanked_reason: string | null
  readonly [field: string]: string | boolean | readonly string[] | Readonly<Record<string, string>> | null
}

/** @param release `name` as in the URL; `metadata` as far as it can be read. */
export function legacyInfo(release: {
  readonly name: string
  readonly version: string | undefined
  readonly files: readonly FileDetail[]
  readonly metadata: CoreMetadata | undefined
}): LegacyInfo {
  const {name, version, files, metadata} = release
  const all = (field: string): readonly string[] => metadata?.fields.get(field) ?? []
  const one = (field: string): string | null => all(field)[0] ?? null
  const several = (field: string): readonly string[] | null => (all(field).length > 0 ? all(field) : null)
  const yanked = files.length > 0 && files.every(file => file.yanked !== undefined)
  return {
    name,
    license: one('license') ?? '',
    classifiers: all('classifier'),
    ...(version !== undefined && {version}),
    summary: metadata?.summary ?? files.find(file => file.summary)?.summary ?? null,
    description: metadata?.description ?? null,
    description_content_type: one('description-content-type'),
    author: one('author'),
    author_email: one('author-email'),
    maintainer: one('maintainer'),
    maintainer_email: one('maintainer-email'),
    home_page: one('home-page'),
    download_url: one('download-url'),
    project_urls: projectUrls(all('project-url')),
    keywords: one('keywords'),
    platform: one('platform'),
    license_expression: one('license-expression'),
    license_files: several('license-file'),
    requires_python:
      files.find(file => file.requiresPython !== undefined)?.requiresPython ?? one('requires-python'),
    requires_dist: several('requires-dist'),
    provides_extra: several('provides-extra'),
    dynamic: several('dynamic'),
    yanked,
    yanked_reason: (yanked && files.find(file => file.yanked)?.yanked) || null,
  }
}

/** `Label, https://…` each. */
function projectUrls(values: readonly string[]): Record<string, string> | null {
  const entries = values.flatMap(value => {
    const comma = value.indexOf(',')
    return comma < 0 ? [] : [[value.slice(0, comma).trim(), value.slice(comma + 1).trim()] as const]
  })
  return entries.length > 0 ? Object.fromEntries(entries) : null
}
