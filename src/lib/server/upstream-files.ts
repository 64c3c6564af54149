import type {Identity} from '../access/identity.js'
import type {DistFile} from '../packaging/dist-file.js'
import {denied, tracked, type Context} from './context.js'
import type {UpstreamServices} from './upstream.js'

interface Wanted {
  /** Normalised. */
  readonly project: string
  readonly filename: string
}

/**
 * A file that is not here, from the upstream, where the config and the reader's rights allow it: afterwards it is here.
 * The work goes on when the client does not wait.
 * @returns undefined when there is none, or nobody may ask for it. @throws {HttpError} 401 or 403.
 */
export async function fetchCopy(
  context: Context,
  identity: Identity,
  {project, filename}: Wanted,
): Promise<DistFile | undefined> {
  const upstream = await permitted(context, identity, project)
  return upstream && tracked(context, () => upstream.copies.fetch(project, filename))
}

/** The core metadata (PEP 658) of such a file, which stays where it is. @returns and @throws as `fetchCopy`. */
export async function fetchMetadata(
  context: Context,
  identity: Identity,
  {project, filename}: Wanted,
): Promise<Buffer | undefined> {
  const upstream = await permitted(context, identity, project)
  const found = await upstream?.index.findFile(project, filename)
  return found && upstream?.index.metadata(found.file)
}

async function permitted(
  context: Context,
  identity: Identity,
  project: string,
): Promise<UpstreamServices | undefined> {
  const {upstream, policy} = context
  if (!upstream || !(await upstream.copies.mayFetch(project))) return undefined
  if (!policy.mayStoreCopies(identity, project)) throw denied(context, identity)
  return upstream
}
