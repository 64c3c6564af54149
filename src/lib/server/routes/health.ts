import {sendJson, type Context} from '../context.js'
import {problemsOf} from '../operation/readiness.js'
import {json} from '../routing/answers.js'
import {route, type Route} from '../routing/route.js'

/** What machines ask that watch the server. */
export const healthRoutes = (context: Context): Route[] => [
  route({
    about:
      'What is wrong with each backend, or nothing. Asks them all: for people, and for scripts of pypicloud.',
    method: 'ANY',
    path: '/health',
    slash: 'exact',
    who: 'anybody',
    isProbe: true,
    answers: {200: json('All work.', 'Health'), 500: json('One does not.', 'Health')},
    handler: async (_request, reply) => {
      const problems = await problemsOf(context)
      const healthy = Object.values(problems).every(problem => problem === '')
      return sendJson(context, reply.code(healthy ? 200 : 500).header('cache-control', 'no-store'), {
        ...problems,
      })
    },
  }),
  route({
    about: 'Whether the process answers at all. If not, it is to be started anew.',
    method: 'GET',
    path: '/livez',
    slash: 'exact',
    who: 'anybody',
    isProbe: true,
    answers: {200: json('It does.', 'Status')},
    handler: (_request, reply) =>
      sendJson(context, reply.header('cache-control', 'no-store'), {status: 'ok'}),
  }),
  route({
    about:
      'Whether requests are to be sent here: the backends work, as far as was seen last, and it is not ending.',
    method: 'GET',
    path: '/readyz',
    slash: 'exact',
    who: 'anybody',
    isProbe: true,
    answers: {200: json('Yes.', 'Readiness'), 503: json('Not now.', 'Readiness')},
    handler: (_request, reply) => {
      const problems = context.readiness.problems()
      const ending = context.stopping.aborted
      const ready = !ending && Object.values(problems).every(problem => problem === '')
      void reply.code(ready ? 200 : 503).header('cache-control', 'no-store')
      return sendJson(context, reply, {status: ending ? 'ending' : ready ? 'ok' : 'failing', ...problems})
    },
  }),
]
