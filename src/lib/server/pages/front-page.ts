import {encodePathSegment, escapeHtml} from '../../index/pages/markup.js'
import type {Document} from './document.js'
import {csrfField} from './forms.js'
import {setUp} from './set-up.js'

export const projectsOnPage = 200

export interface FrontPage {
  readonly root: string
  readonly username: string | undefined
  /** CSRF token of the session; undefined for who is logged in by Basic, whom no page can log out. */
  readonly token: string | undefined
  readonly canLogIn: boolean
  readonly canChangePassword: boolean
  /** What was searched for; empty for everything. */
  readonly query: string
  /** Normalised names that match, of those that the reader may see. */
  readonly projects: readonly string[]
  /** Where tools install from, and where they publish. */
  readonly indexUrl: string
  readonly uploadUrl: string
}

export const frontPage = (page: FrontPage): Document => ({
  title: 'Python package index',
  header: navigation(page),
  body: `<main>\n<h1>Python package index</h1>\n${search(page)}${setUp(page)}</main>\n`,
})

function navigation({root, username, token, canLogIn, canChangePassword}: FrontPage): string {
  const login = `<a href="${root}acct/login">Log in</a>`
  if (username === undefined) return canLogIn ? `<nav>${login}</nav>` : ''
  const name = `<span>${escapeHtml(username)}</span>`
  if (token === undefined) return `<nav>${name}</nav>`
  const password = canChangePassword ? `<a href="${root}acct/password">Change password</a>` : ''
  return (
    `<nav>${name}${password}<form method="post" action="${root}acct/logout">` +
    `<input type="hidden" name="${csrfField}" value="${escapeHtml(token)}"><button>Log out</button></form></nav>`
  )
}

function search({root, query, projects}: FrontPage): string {
  const shown = projects.slice(0, projectsOnPage)
  const items = shown.map(
    name => `<li><a href="${root}simple/${encodePathSegment(name)}/">${escapeHtml(name)}</a></li>\n`,
  )
  const count = `${projects.length} ${projects.length === 1 ? 'project' : 'projects'}`
  const matching = query === '' ? '' : ` with “${escapeHtml(query)}” in the name`
  const more =
    projects.length > shown.length
      ? `<p>The first ${shown.length} are listed; search for the others, or see <a href="${root}simple/">all</a>.</p>\n`
      : ''
  return (
    `<search><form role="search"><input type="search" name="q" aria-label="Name of a project" value="${escapeHtml(query)}">` +
    `<button>Search</button></form></search>\n<p>${count}${matching}</p>\n` +
    `<ul class="projects">\n${items.join('')}</ul>\n${more}`
  )
}
