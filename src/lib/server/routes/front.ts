import type {FastifyInstance} from 'fastify'
import type {Context} from '../context.js'
import {escapeHtml} from '../../index/pages/markup.js'

/** `/`, and what a person sees who opens an upload address in a browser. */
export function frontRoutes(app: FastifyInstance, context: Context): void {
  const page = (title: string, body: string): string =>
    `<!DOCTYPE html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n  <title>${title}</title>\n</head>\n` +
    `<body>\n<h1>${title}</h1>\n${body}\n</body>\n</html>\n`
  const address = (root: string): string => context.config.core.downloadUrl ?? `${root}/simple/`

  app.route({
    method: ['GET', 'HEAD'],
    url: '/',
    handler: (request, reply) => {
      const url = escapeHtml(address(context.address.root(request)))
      return reply
        .type('text/html; charset=UTF-8')
        .send(
          page(
            'Python package index',
            `<p>Install: <code>pip install --index-url ${url} PROJECT</code></p>\n` +
              `<p>Publish: <code>twine upload --repository-url ${url} dist/*</code></p>\n` +
              '<p><a href="simple/">All projects</a> · <a href="packages/">All files</a></p>',
          ),
        )
    },
  })
  for (const url of ['/legacy', '/legacy/']) {
    app.route({
      method: ['GET', 'HEAD'],
      url,
      handler: (request, reply) =>
        reply
          .type('text/html; charset=UTF-8')
          .send(
            page(
              'Upload address',
              `<p>Tools send files here by POST. To install, use ${escapeHtml(address(context.address.root(request)))}</p>`,
            ),
          ),
    })
  }
}
