import {pipeline, Readable} from 'node:stream'
import {createGzip} from 'node:zlib'
import {formatDump} from '../../access/dump/dump.js'
import {checkUsername} from '../../access/names.js'
import {createSignupToken} from '../../access/tokens.js'
import {tokenFields} from '../../config/schema/access.js'
import {requireWriter, type Context} from '../context.js'
import {HttpError} from '../http/errors.js'
import {readParameters} from '../http/parameters.js'
import {noteChange} from '../operation/audit.js'
import {html, json, note} from '../routing/answers.js'
import {adminRow, refused} from '../routing/admin-row.js'
import type {Route} from '../routing/route.js'
import {rebuildHandlers} from './rebuild.js'

/** `/admin/…` but for users, groups and rules: registration, the dump and the rebuild. */
export function adminRoutes(context: Context): Route[] {
  const {access} = context
  const row = adminRow(context)
  const rebuild = rebuildHandlers(context)

  return [
    row({
      about: 'Lets people ask for accounts, or no longer.',
      method: 'POST',
      path: '/admin/register',
      audit: 'registration.set',
      arguments: [{name: 'allow', about: 'Which of the two.', type: 'boolean'}],
      fails: refused,
      does: async request => {
        const allow = (await readParameters(request)).flag('allow')
        noteChange(request, {allow})
        await requireWriter(access).setRegistration(allow)
      },
    }),
    row({
      about: 'A token with which somebody can make the account of that name.',
      method: 'GET',
      path: '/admin/token/:user',
      audit: 'signup-token.create',
      gives: json('The token, and the address to send.', 'SignupToken'),
      fails: refused,
      does: async request => {
        const {signingKey} = context.config.read(tokenFields)
        if (signingKey === undefined) {
          throw new HttpError(400, 'Tokens need auth.signing_key in the config', {form: 'raised'})
        }
        requireWriter(access)
        checkUsername(request.params.user)
        const token = createSignupToken(request.params.user, signingKey)
        return Promise.resolve({
          token,
          token_url: `${context.address.root(request)}/acct/login#/?token=${token}`,
        })
      },
    }),
    row({
      about: 'The dump of users, groups and rules that ppc-import reads.',
      method: 'GET',
      path: '/admin/acl.json.gz',
      audit: 'access.export',
      gives: {about: 'JSON, gzipped.', types: [html]},
      does: async (request, reply) => {
        const gzip = createGzip()
        if (request.method === 'HEAD') gzip.end()
        else pipeline(Readable.from(formatDump(access)), gzip, () => undefined) // the reply sees the failure
        return reply
          .type(html) // as pypicloud; the name says what it is
          .header('content-disposition', 'attachment; filename="acl.json.gz"')
          .header('cache-control', 'private, no-store')
          .send(gzip)
      },
    }),

    row({
      about: 'Rebuilds the cache from the storage, and answers when that is done.',
      method: rebuildMethods,
      audit: 'cache.rebuild',
      path: '/admin/rebuild',
      fails: {409: note('Another rebuild is running.')},
      does: rebuild.wait,
    }),
    row({
      about: 'Starts a rebuild, and answers at once.',
      method: 'POST',
      path: '/admin/rebuild',
      audit: 'cache.rebuild',
      arguments: [
        {name: 'full', about: 'Whether unchanged files are read anew.', type: 'boolean', optional: true},
      ],
      fails: {202: json('It has started.', 'Rebuild'), 409: note('Another rebuild is running.')},
      does: rebuild.start,
    }),
    row({
      about: 'How far the last rebuild is.',
      method: 'GET',
      path: '/admin/rebuild/status',
      gives: json('Its state, or "none".', 'Rebuild'),
      does: rebuild.status,
    }),
  ]
}

/** pypicloud takes every method; POST has a meaning of its own here. */
const rebuildMethods = ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'QUERY'] as const
