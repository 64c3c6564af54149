import {PpcError} from '../../errors.js'

/** The server that decides answers, but not as pypicloud's documentation says. Nobody is let in by such an answer. */
export class AccessServerFailed extends PpcError {
  readonly code = 'PPC_ACCESS_SERVER_FAILED'
  override readonly statusCode = 503
}

/** It answers with that status. */
export class BadStatus extends AccessServerFailed {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}
