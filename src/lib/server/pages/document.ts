import {createHash} from 'node:crypto'
import type {FastifyReply, FastifyRequest} from 'fastify'
import {escapeHtml} from '../../index/pages/markup.js'
import {html} from '../routing/answers.js'
import {styleName} from './style.js'

/** A page for people. Everything in `header` and `body` is escaped already. */
export interface Document {
  readonly title: string
  /** HTML, beside the name of the site. */
  readonly header?: string
  /** HTML. */
  readonly body: string
  /** The one script that the page runs. */
  readonly script?: string
  readonly status?: number
}

/** The way from the page that was asked for to the root of the application: `../`. Right behind any prefix of a proxy. */
export function wayToRoot({url}: Pick<FastifyRequest, 'url'>): string {
  const path = url.split('?')[0] ?? '/'
  return '../'.repeat(path.split('/').length - 2) || './'
}

/** Nothing but our own style and forms; of scripts the one of the page, by its digest. */
const policyOf = (script: string | undefined): string =>
  [
    "default-src 'none'",
    "style-src 'self'",
    ...(script === undefined
      ? []
      : [`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`]),
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

export function sendDocument(request: FastifyRequest, reply: FastifyReply, page: Document): FastifyReply {
  const {title, header = '', body, script, status = 200} = page
  const root = wayToRoot(request)
  return reply
    .code(status)
    .type(html)
    .header('content-security-policy', policyOf(script))
    .header('x-content-type-options', 'nosniff')
    .header('x-frame-options', 'DENY')
    .header('referrer-policy', 'same-origin')
    .header('cache-control', 'private, no-store')
    .header('vary', 'Authorization, Cookie')
    .send(
      `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n` +
        `<meta name="viewport" content="width=device-width, initial-scale=1">\n` +
        `<title>${escapeHtml(title)}</title>\n<link rel="stylesheet" href="${root}static/${styleName}">\n</head>\n` +
        `<body>\n<header><a href="${root}">Python package index</a>${header}</header>\n` +
        `${body}${script === undefined ? '' : `<script>${script}</script>\n`}</body>\n</html>\n`,
    )
}
