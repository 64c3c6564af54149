import {escapeHtml} from '../../index/pages/markup.js'

/** What a form's field is for decides what browsers and password managers fill in. */
interface FieldOfForm {
  readonly name: string
  readonly label: string
  readonly type?: 'text' | 'password'
  readonly autocomplete?: 'username' | 'current-password' | 'new-password' | 'off'
  readonly value?: string | undefined
}
export interface FormOfPage {
  /** Where it is sent, relative to the page. */
  readonly action: string
  readonly fields: readonly FieldOfForm[]
  readonly button: string
  /** Of the session; without one there is nothing to protect. */
  readonly token?: string | undefined
  /** HTML attributes of the form, beginning with a blank. */
  readonly attributes?: string
}

export const csrfField = 'csrf_token'

export function renderForm({action, fields, button, token, attributes = ''}: FormOfPage): string {
  const inputs = fields.map(
    ({name, label, type = 'text', autocomplete = 'off', value}) =>
      `<label>${escapeHtml(label)} <input name="${name}" type="${type}" autocomplete="${autocomplete}"` +
      `${type === 'text' ? ' autocapitalize="none" spellcheck="false"' : ''} required` +
      `${value === undefined ? '' : ` value="${escapeHtml(value)}"`}></label>\n`,
  )
  const hidden =
    token === undefined ? '' : `<input type="hidden" name="${csrfField}" value="${escapeHtml(token)}">\n`
  return (
    `<form method="post" action="${escapeHtml(action)}"${attributes}>\n${hidden}${inputs.join('')}` +
    `<button>${escapeHtml(button)}</button>\n</form>\n`
  )
}

export const renderProblem = (message: string | undefined): string =>
  message === undefined ? '' : `<p class="problem" role="alert">${escapeHtml(message)}</p>\n`
