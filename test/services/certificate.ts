import {execFile} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {program} from '../support/needs.js'

const run = promisify(execFile)

/** Files of a certificate for 127.0.0.1, localhost and other names, and of the authority of the tests' own that signed it. */
export interface Certificate {
  /** What a client has to trust. */
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
}

/** Makes authority and certificate below `directory`; good for a day. @param names of hosts, beside the local ones. */
export async function makeCertificate(
  directory: string,
  names: readonly string[] = [],
): Promise<Certificate> {
  const path = (name: string) => join(directory, name)
  const request = [
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-config',
    path('req.cnf'),
  ]
  await writeFile(path('req.cnf'), '[req]\ndistinguished_name = name\n[name]\n')
  await writeFile(
    path('san.cnf'),
    `subjectAltName = IP:127.0.0.1, ${['localhost', ...names].map(name => `DNS:${name}`).join(', ')}\n`,
  )
  await writeFile(path('ca.cnf'), 'basicConstraints = critical, CA:TRUE\n')
  const openssl = (...args: string[]) => run(program('openssl'), args)
  await openssl(...request, '-subj', '/CN=test authority', '-keyout', path('ca.key'), '-out', path('ca.csr'))
  const sign = (name: string, extensions: string, ...by: string[]) =>
    openssl(
      ...['x509', '-req', '-days', '1', '-in', path(`${name}.csr`), '-out', path(`${name}.pem`)],
      ...['-extfile', path(extensions), ...by],
    )
  await sign('ca', 'ca.cnf', '-signkey', path('ca.key'))
  await openssl(
    ...request,
    '-subj',
    '/CN=localhost',
    '-keyout',
    path('server.key'),
    '-out',
    path('server.csr'),
  )
  await sign('server', 'san.cnf', '-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial')
  return {caFile: path('ca.pem'), certificateFile: path('server.pem'), keyFile: path('server.key')}
}

/** Makes a certificate of the client `name`, signed by the authority that `makeCertificate` has left in `directory`. */
export async function makeClientCertificate(
  directory: string,
  name: string,
): Promise<{certificateFile: string; keyFile: string}> {
  const path = (ending: string) => join(directory, `client-${name}.${ending}`)
  const openssl = (...args: string[]) => run(program('openssl'), args)
  await openssl(
    ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-config', join(directory, 'req.cnf'), '-subj', `/CN=${name}`],
    ...['-keyout', path('key'), '-out', path('csr')],
  )
  await openssl(
    ...['x509', '-req', '-days', '1', '-in', path('csr'), '-out', path('pem')],
    ...['-CA', join(directory, 'ca.pem'), '-CAkey', join(directory, 'ca.key'), '-CAcreateserial'],
  )
  return {certificateFile: path('pem'), keyFile: path('key')}
}
