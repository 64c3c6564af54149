import {apiVersion, encodePathSegment, escapeHtml, pageEnd, pageStart} from './markup.js'

/** PEP 503. @param projects normalised names, in the order of the page. */
export function renderListHtml(projects: readonly string[]): string {
  const anchors = projects.map(
    name => `    <a href="${encodePathSegment(name)}/">${escapeHtml(name)}</a><br>\n`,
  )
  return `${pageStart('Simple Index')}  \n${anchors.join('')}${pageEnd}`
}

/** PEP 691. */
export const renderListJson = (projects: readonly string[]): string =>
  JSON.stringify({meta: {'api-version': apiVersion}, projects: projects.map(name => ({name}))})
