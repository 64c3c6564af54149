import {perAddress, type Rendered} from '../page-cache.js'
import type {ProjectDetail} from './project-detail.js'
import {renderProjectHtml} from './project-html.js'
import {renderProjectJson} from './project-json.js'

/** Content types of the simple API: PEP 691 §Content-Types. */
export type PageType =
  'text/html' | 'application/vnd.pypi.simple.v1+html' | 'application/vnd.pypi.simple.v1+json'

export const isJson = (type: PageType): boolean => type.endsWith('json')

/**
 * A project's page, where `detail` was made for `address`.
 * @param address of the server, absolute. Without one, pages that have to tell it are not rendered: attestations have
 *   whole URLs (PEP 740), while all other links are relative.
 */
export function renderProject(
  detail: ProjectDetail | undefined,
  type: PageType,
  address: string | undefined,
): Rendered {
  if (!detail) return undefined
  if (address === undefined && detail.files.some(({provenance}) => provenance !== undefined))
    return perAddress
  return isJson(type) ? renderProjectJson(detail) : renderProjectHtml(detail)
}
