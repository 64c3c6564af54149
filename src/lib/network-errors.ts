/** Codes of Node and of the system, and names of the AWS SDK, for a service that nobody reached or that did not answer. */
export const unreachableCodes: readonly string[] = [
  ...['TimeoutError', 'RequestTimeout', 'NetworkingError'],
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
  ],
]

/** Of a connection that ended before there was an answer: when it had been idle, nobody may have heard the question. */
export const brokenOffCodes: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])
