import type {Document} from './document.js'
import {renderForm, renderProblem} from './forms.js'

/** What the pages about accounts have in common. */
interface PageState {
  /** The way to the root of the application. */
  readonly root: string
  /** What was wrong with what was sent before. */
  readonly problem?: string | undefined
  readonly status?: number | undefined
}

const narrow = (title: string, problem: string | undefined, body: string): string =>
  `<main class="narrow">\n<h1>${title}</h1>\n${renderProblem(problem)}${body}</main>\n`

const withStatus = (status: number | undefined): {status?: number} => (status === undefined ? {} : {status})

/**
 * A signup token comes behind the `#` of the log-in page, as in pypicloud's links: servers and their logs never see it
 * there, so that only a script can read it.
 */
const tokenScript = `
const token = /[?&]token=(.+)$/.exec(location.hash)
if (token) {
  let text = token[1]
  try { text = decodeURIComponent(text) } catch {}
  document.querySelector('#invitation [name=token]').value = text
  document.querySelector('#invitation').hidden = false
  document.querySelector('#login').hidden = true
}
`

export function loginPage(
  state: PageState & {
    readonly username?: string | undefined
    readonly mayRegister: boolean
    readonly tokens: boolean
  },
): Document {
  const {root, problem, status, username, mayRegister, tokens} = state
  const form = renderForm({
    action: `${root}acct/login`,
    fields: [
      {name: 'username', label: 'User name', autocomplete: 'username', value: username},
      {name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password'},
    ],
    button: 'Log in',
  })
  const register = mayRegister ? `<p><a href="${root}acct/register">Ask for an account</a></p>\n` : ''
  const invited = `<p><a href="${root}acct/tokenRegister">I have a signup token</a></p>\n`
  const invitation =
    `<section id="invitation" hidden>\n<h2>Your invitation</h2>\n` +
    `<p>Choose a password for your account.</p>\n${tokenForm(root, '')}</section>\n`
  return {
    title: 'Log in',
    body: narrow(
      'Log in',
      problem,
      `<section id="login">\n${form}${register}${tokens ? invited : ''}</section>\n${tokens ? invitation : ''}`,
    ),
    ...(tokens && {script: tokenScript}),
    ...withStatus(status),
  }
}

export function registerPage(
  state: PageState & {readonly username?: string | undefined; readonly isFirst: boolean},
): Document {
  const {root, problem, status, username, isFirst} = state
  const about = isFirst
    ? '<p>This index has no administrator yet: the first account is the one.</p>\n'
    : '<p>An administrator approves your account before you can log in.</p>\n'
  const form = renderForm({
    action: `${root}acct/register`,
    fields: [
      {name: 'username', label: 'User name', autocomplete: 'username', value: username},
      {name: 'password', label: 'Password', type: 'password', autocomplete: 'new-password'},
    ],
    button: 'Register',
  })
  return {title: 'Register', body: narrow('Register', problem, about + form), ...withStatus(status)}
}

export const registeredPage = (root: string): Document => ({
  title: 'Registered',
  body: narrow(
    'Registered',
    undefined,
    `<p>Your account is there. You can <a href="${root}acct/login">log in</a> once an administrator has approved it.</p>\n`,
  ),
})

/** @param token that came in the address, or was sent before */
export function tokenPage(state: PageState & {readonly token: string}): Document {
  const {root, problem, status, token} = state
  return {
    title: 'Your invitation',
    body: narrow('Your invitation', problem, tokenForm(root, token)),
    ...withStatus(status),
  }
}

const tokenForm = (root: string, token: string): string =>
  renderForm({
    action: `${root}acct/tokenRegister`,
    fields: [
      {name: 'token', label: 'Signup token', value: token},
      {name: 'password', label: 'Password', type: 'password', autocomplete: 'new-password'},
    ],
    button: 'Register',
  })

export function passwordPage(state: PageState & {readonly token: string | undefined}): Document {
  const {root, problem, status, token} = state
  const form = renderForm({
    action: `${root}acct/password`,
    fields: [
      {name: 'old_password', label: 'Password now', type: 'password', autocomplete: 'current-password'},
      {name: 'new_password', label: 'New password', type: 'password', autocomplete: 'new-password'},
    ],
    button: 'Change',
    token,
  })
  return {title: 'Change password', body: narrow('Change password', problem, form), ...withStatus(status)}
}
