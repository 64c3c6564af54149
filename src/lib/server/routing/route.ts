import type {FastifyReply, FastifyRequest, HTTPMethods} from 'fastify'
import type {Answer} from './answers.js'

/** `/api/package/:project/:file` → `'project' | 'file'`. */
export type ParameterOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never

/** A request to a route whose path has segments of those names. */
export type RouteRequest<Names extends string = never> = FastifyRequest<{
  Params: Readonly<Record<Names, string>>
}>

/** Who is answered; others get 401 without a login, 403 with one. */
export type Who =
  | 'anybody'
  /** Anybody; the answer holds no more than the reader may see. */
  | 'anybody, filtered'
  /** Who may read the project in the path, or write it. */
  | 'reader'
  | 'writer'
  /** Who is logged in. */
  | 'user'
  | 'admin'

/**
 * An argument of the query, of a form or of a JSON object: all three are read everywhere (COMPAT §6.2). A route with a
 * `file` among them takes multipart forms alone.
 */
export interface Argument {
  readonly name: string
  readonly about: string
  readonly type?: 'boolean' | 'file'
  readonly optional?: true
}

/** One row of the route table: what the documentation would say of it, and what does it. */
export interface Route<Path extends string = string> {
  /** What it is for, in one line. */
  readonly about: string
  /** `GET` answers HEAD too. `ANY` is every method. */
  readonly method: HTTPMethods | 'ANY' | readonly HTTPMethods[]
  /** The first is the one to use; the others are kept for old clients. */
  readonly path: Path | readonly Path[]
  /** A slash at the end: may be there or not (default), is `added` by a redirect, or the path is `exact`. */
  readonly slash?: 'either' | 'added' | 'exact'
  readonly who: Who
  readonly arguments?: readonly Argument[]
  /** What the audit log calls it. Without a name it is not recorded. */
  readonly audit?: string
  /** Asked by machines that watch the server: no limit of requests. */
  readonly isProbe?: true
  /** The type of a body that holds no arguments: `text/xml`. Requests with other bodies go to the route's sibling. */
  readonly body?: {readonly type: string; readonly about: string}
  /**
   * By status. What follows from the rest is not repeated: 400 where arguments are required, 401 and 403 by `who`, and
   * what every route may answer, 429 and 5xx.
   */
  readonly answers: Readonly<Record<number, Answer>>
  readonly handler: (request: RouteRequest<ParameterOf<NoInfer<Path>>>, reply: FastifyReply) => unknown
}

/** A row whose handler knows the names in its path. */
export const route = <Path extends string>(row: Route<Path>): Route => row

export const pathsOf = ({path}: Route): readonly string[] => (typeof path === 'string' ? [path] : path)
