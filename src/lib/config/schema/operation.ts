import {optionalInt, optionalText, text} from '../fields.js'

/** What whoever runs the server wants to see, and to hold back. */
export const operationFields = {
  metricsPort: optionalInt('metrics.port', {
    min: 0,
    max: 65535,
    since: 'ours',
    help: 'Port of its own where Prometheus finds /metrics, the sum over all workers. Unset, there are no metrics.',
  }),
  metricsHost: text('metrics.host', {
    default: '127.0.0.1',
    since: 'ours',
    help: 'Address of that port. It has no login.',
  }),
  auditFile: optionalText('audit.file', {
    since: 'ours',
    help: 'File to which a JSON line is appended for every change: uploads, deletions, users, rights, rebuilds, log-ins that failed; by the server, and by commands.',
  }),
  addressPerMinute: optionalInt('limits.address_per_minute', {
    min: 1,
    since: 'ours',
    help: 'Requests a minute that one client address may make of each worker; more are answered 429. Unset, any number.',
  }),
  userPerMinute: optionalInt('limits.user_per_minute', {
    min: 1,
    since: 'ours',
    help: 'Requests a minute that one user may make of each worker; more are answered 429. Unset, any number.',
  }),
} as const
