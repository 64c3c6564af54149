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
