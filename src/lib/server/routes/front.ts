import {escapeHtml} from '../../index/pages/markup.js'
import type {Context} from '../context.js'
import {html, page} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** `/`, and what a person sees who opens an upload address in a browser. */
export function frontRoutes(context: Context): Route[] {
  const document = (title: string, body: string): string =>
    `<!DOCTYPE html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n  <title>${title}</title>\n</head>\n` +
    `<body>\n<h1>${title}</h1>\n${body}\n</body>\n</html>\n`
  const address = (root: string): string => context.config.core.downloadUrl ?? `${root}/simple/`

  return [
    route({
      about: 'What this is, and how to use it.',
      method: 'GET',
      path: '/',
      who: 'anybody',
      answers: {200: page('A page for people.')},
      handler: (request, reply) => {
        const url = escapeHtml(address(context.address.root(request)))
        return reply
          .type(html)
          .send(
            document(
              'Python package index',
              `<p>Install: <code>pip install --index-url ${url} PROJECT</code></p>\n` +
                `<p>Publish: <code>twine upload --repository-url ${url} dist/*</code></p>\n` +
                '<p><a href="simple/">All projects</a> · <a href="packages/">All files</a></p>',
            ),
          )
      },
    }),
    route({
      about: 'What the upload address is for.',
      method: 'GET',
      path: '/legacy/',
      who: 'anybody',
      answers: {200: page('A page for people.')},
      handler: (request, reply) =>
        reply
          .type(html)
          .send(
            document(
              'Upload address',
              `<p>Tools send files here by POST. To install, use ${escapeHtml(address(context.address.root(request)))}</p>`,
            ),
          ),
    }),
  ]
}
