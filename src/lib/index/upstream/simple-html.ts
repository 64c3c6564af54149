import {Parser} from 'htmlparser2'
import {fileEnding} from '../../packaging/filenames.js'
import {parseUrl} from './connection.js'
import {UpstreamRefused} from './errors.js'
import type {FoundFile} from './project.js'

/**
 * The files of a PEP 503 page, and what its links are relative to: its own address or its `<base>`.
 * @throws {UpstreamRefused} for a version of the simple API that is not known here.
 */
export function readSimpleHtml(html: string, url: URL): {files: FoundFile[]; base: URL} {
  const files: FoundFile[] = []
  let base: URL | undefined
  let anchor: {attributes: Readonly<Record<string, string>>; text: string} | undefined
  const status = {isQuarantined: false}
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name === 'a') anchor = {attributes, text: ''}
      else if (name === 'base') base ??= parseUrl(attributes['href'] ?? '', url)
      else if (name === 'meta') {
        checkVersion(attributes, url)
        status.isQuarantined ||=
          attributes['name'] === 'pypi:project-status' && attributes['content'] === 'quarantined'
      }
    },
    ontext(text) {
      if (anchor) anchor.text += text
    },
    onclosetag(name) {
      if (name !== 'a' || !anchor) return
      files.push(...readAnchor(anchor.attributes, anchor.text.trim(), base ?? url))
      anchor = undefined
    },
  })
  parser.end(html)
  return {files: status.isQuarantined ? [] : files, base: base ?? url}
}

/** PEP 629. */
function checkVersion({name, content = ''}: Readonly<Record<string, string>>, {origin, pathname}: URL): void {
  if (name !== 'pypi:repository-version' || content.startsWith('1.')) return
  throw new UpstreamRefused(
    `${origin}${pathname} is in version ${content.slice(0, 20)} of the simple API, which is not known here`,
  )
}

function readAnchor(attributes: Readonly<Record<string, string>>, text: string, base: URL): FoundFile[] {
  const href = attributes['href']
  const url = href === undefined ? undefined : parseUrl(href, base)
  if (href === undefined || !url) return []
  const [, kind, digest] = /^#(\w+)=([\da-f]+)/i.exec(url.hash) ?? []
  return [
    {
      filename: fileEnding(text) === undefined ? lastSegment(url) : text,
      href,
      hashes: kind !== undefined && digest !== undefined ? {[kind]: digest} : {},
      requiresPython: attributes['data-requires-python'] || undefined,
      yanked: attributes['data-yanked'],
      coreMetadata: coreMetadataOf(attributes['data-core-metadata'] ?? attributes['data-dist-info-metadata']),
    },
  ]
}

function lastSegment({pathname}: URL): string {
  const segment = pathname.slice(pathname.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const coreMetadataOf = (value: string | undefined): FoundFile['coreMetadata'] =>
  value === undefined || value === 'false'
    ? undefined
    : {sha256: /^sha256=([\da-f]{64})$/i.exec(value)?.[1]?.toLowerCase()}
