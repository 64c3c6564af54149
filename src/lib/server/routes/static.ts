import {style, styleName} from '../pages/style.js'
import {notFound} from '../http/errors.js'
import {note} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** `/static/…`: what pages for people are made up with. */
export const staticRoutes = (): Route[] => [
  route({
    about: 'The style of the pages for people.',
    method: 'GET',
    path: '/static/:file',
    slash: 'exact',
    who: 'anybody',
    answers: {
      200: {about: 'The style.', types: ['text/css; charset=UTF-8']},
      404: note('There is no such file.'),
    },
    handler: (request, reply) => {
      if (request.params.file !== styleName) throw notFound(request.url.split('?')[0])
      return reply
        .type('text/css; charset=UTF-8')
        .header('cache-control', 'public, max-age=31536000, immutable')
        .header('x-content-type-options', 'nosniff')
        .send(style)
    },
  }),
]
