import type {FastifyReply, FastifyRequest} from 'fastify'
import type {Identity} from '../../access/identity.js'
import {blake2Of, spool, type Spool} from '../../index/spool.js'
import {normalizeName} from '../../packaging/names.js'
import {parseFilename} from '../../packaging/filenames.js'
import {denied, identify, requirePermission, sendJson, tracked, type Context} from '../context.js'
import {HttpError, missingArgument} from '../http/errors.js'
import {readForm, type FormFields, type FormFile} from '../http/form.js'
import {queryOf} from '../http/parameters.js'
import {packageJson} from '../package-json.js'
import {noteChange} from '../operation/audit.js'
import {json, note} from '../routing/answers.js'
import {route, type Argument, type Route, type RouteRequest} from '../routing/route.js'
import {fieldLimit, single, uploadFields} from '../upload/fields.js'

/** Room for the fields around the file, in bytes. */
const formOverhead = 64 * 1024 * 1024

/**
 * Uploads: the legacy API at `/`, `/simple/`, `/pypi/` and `/legacy/`, and pypicloud's own below `/api/package/`.
 * Rights are checked as soon as the project is known, before the file is read.
 */
export function uploadRoutes(context: Context): Route[] {
  const legacy = async (request: FastifyRequest, reply: FastifyReply) => {
    const identity = await identify(context, request)
    // Known before the body: clients that ask first (`Expect: 100-continue`) or send 300 MB get the 401 at once.
    if (identity.username === undefined && !(await mayAnonymousWrite(context)))
      throw denied(context, identity)
    return sendJson(context, reply, await tracked(context, () => receive(context, request, identity)))
  }

  const own = async (request: RouteRequest<'project'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    const identity = await requirePermission(context, request, project, 'write')
    const {project: hint} = request.params
    return sendJson(context, reply, await tracked(context, () => receive(context, request, identity, hint)))
  }

  const answers = {
    200: json('The file, which is stored now or was before.', 'Package'),
    400: note('What is wrong with the file or the fields.'),
    409: note('Other bytes are stored under this name, and may not be overwritten.'),
    413: note('It is larger than pypi.max_upload_size.'),
  }
  return [
    route({
      about: 'Uploads a file, as twine and the other tools do.',
      method: 'POST',
      path: ['/legacy/', '/', '/simple/', '/pypi/'],
      audit: 'file.upload',
      who: 'writer',
      arguments: legacyFields,
      answers,
      handler: legacy,
    }),
    route({
      about: 'Uploads a file of a project. The file name is that of the content.',
      method: 'POST',
      path: '/api/package/:project/:file',
      audit: 'file.upload',
      who: 'writer',
      arguments: ownFields,
      answers,
      handler: own,
    }),
  ]
}

const content: Argument = {name: 'content', about: 'The wheel or sdist.', type: 'file'}
const ownFields: readonly Argument[] = [
  content,
  {name: 'summary', about: 'One line about the project.', optional: true},
  {name: 'requires_python', about: 'The versions of Python it runs on.', optional: true},
]
const legacyFields: readonly Argument[] = [
  ...ownFields,
  {name: ':action', about: 'file_upload.', optional: true},
  {name: 'name', about: 'Of the project; else as in the file.', optional: true},
  {name: 'version', about: 'Else as in the file.', optional: true},
  {name: 'sha256_digest', about: 'Refused unless it is that of the content.', optional: true},
  {name: 'md5_digest', about: 'Likewise.', optional: true},
  {name: 'blake2_256_digest', about: 'Likewise.', optional: true},
]

/** Whether any project may be written without a login. */
async function mayAnonymousWrite({access, config}: Context): Promise<boolean> {
  if (config.core.defaultWrite.some(group => group === 'everyone' || group === 'system.Everyone')) return true
  const grants = await access.listGrants({group: 'everyone'})
  return grants.some(({permissions}) => permissions.includes('write'))
}

/** @param projectInUrl is a hint for file names that can be split in two ways, and the only project allowed. */
async function receive(context: Context, request: FastifyRequest, identity: Identity, projectInUrl?: string) {
  const {index, policy, config} = context
  const type = request.headers['content-type'] ?? ''
  if (!/^multipart\/form-data\b/i.test(type)) throw missingArgument('content')
  const {maxUploadSize} = config.core
  if (Number(request.headers['content-length'] ?? 0) > maxUploadSize + formOverhead) {
    throw new HttpError(413, `Files larger than ${maxUploadSize} bytes are refused, see pypi.max_upload_size`)
  }

  /** The rights of the project that the fields and the file name tell of. */
  const check = async (fields: FormFields, filename: string): Promise<void> => {
    if (projectInUrl !== undefined) return // checked before
    await checkWrite(normalizeName(single(fields, 'name') ?? parseFilename(filename).name))
  }
  const checkWrite = async (project: string): Promise<void> => {
    if (!(await policy.can(identity, project, 'write'))) throw denied(context, identity)
  }

  let received: {spooled: Spool; filename: string; knewName: boolean} | undefined
  try {
    const take = async ({filename, content}: FormFile, fields: FormFields): Promise<void> => {
      if (fields.has('name') && filename !== '') await check(fields, filename)
      const spooled = await spool(content, context.storage.spoolDirectory, {
        maxSize: maxUploadSize,
        tooLarge: () =>
          new HttpError(
            413,
            `The file is larger than ${maxUploadSize} bytes, which pypi.max_upload_size allows`,
          ),
        blake2: fields.has('blake2_256_digest'),
      })
      received = {spooled, filename, knewName: fields.has('name')}
    }
    const form = await readForm(request.raw, {
      limit: fieldLimit,
      total: 4 * fieldLimit,
      keep: uploadFields,
      file: {field: 'content', take},
    })
    const {fields} = form
    if (!received) {
      throw fields.has('content')
        ? new HttpError(400, "'content' is no file: it has no file name")
        : missingArgument('content')
    }
    const {spooled, filename} = received
    noteChange(request, {file: filename, sha256: spooled.digests.sha256})
    if (filename === '') throw new HttpError(400, "The file in 'content' has no name")
    const action = single(fields, ':action') ?? queryOf(request).get(':action') ?? 'file_upload'
    if (action !== 'file_upload') throw new HttpError(400, `Unknown action '${action}'`)
    await check(fields, filename)

    const blake2 = single(fields, 'blake2_256_digest')
    const {file, outcome} = await index.publish(
      {
        filename,
        name: projectInUrl ?? single(fields, 'name'),
        version: single(fields, 'version'),
        summary: single(fields, 'summary'),
        requiresPython: single(fields, 'requires_python'),
        attestations: single(fields, 'attestations'),
        uploader: identity.username,
        body: spooled.body,
        digests:
          blake2 !== undefined && spooled.digests.blake2_256 === undefined
            ? {...spooled.digests, blake2_256: (await blake2Of(spooled)) ?? ''}
            : spooled.digests,
        claimed: {
          sha256: single(fields, 'sha256_digest'),
          md5: single(fields, 'md5_digest'),
          blake2_256: blake2,
        },
      },
      // Without a name in the form, `foo-2-1.0.tar.gz` may be of foo or of foo-2: the archive decides.
      {overwrite: policy.mayOverwrite(identity), check: checkWrite},
    )
    noteChange(request, {project: file.name, file: file.filename, sha256: file.data.hash_sha256, outcome})
    context.log.info({file: file.filename, user: identity.username, outcome}, 'uploaded')
    return packageJson(file, await index.links.addressesOf([file], `${context.address.root(request)}/`))
  } finally {
    await received?.spooled[Symbol.asyncDispose]()
  }
}
