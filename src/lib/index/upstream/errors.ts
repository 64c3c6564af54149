import {PpcError, Unavailable, type PpcErrorOptions} from '../../errors.js'

/** The upstream index can't be reached, is too slow or fails. Trying again later may help. */
export class UpstreamDown extends Unavailable {
  /** Nobody answered at all, whatever was asked for. */
  readonly isUnreachable: boolean

  constructor(message: string, options: PpcErrorOptions & {readonly isUnreachable?: boolean} = {}) {
    super(message, options)
    this.isUnreachable = options.isUnreachable ?? false
  }
}

/** What the upstream leads to or answers can't be taken: a private address, a page that is none, a wrong digest. */
export class UpstreamRefused extends PpcError {
  readonly code = 'PPC_UPSTREAM_REFUSED'
  override readonly statusCode = 502
}
