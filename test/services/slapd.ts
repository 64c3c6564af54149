import {existsSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {freePort} from '../support/free-port.js'
import {program} from '../support/needs.js'
import {makeCertificate} from './certificate.js'
import type {Service} from './service.js'
import {answersTcp, startServer} from './supervised.js'

export interface SlapdOptions {
  /** `dc=example,dc=com` if there is none. */
  readonly suffix?: string
  /** What the directory holds, from the entry of the suffix on. Without it that entry alone. */
  readonly ldif?: string
  /** To load: `['memberof']`. */
  readonly modules?: readonly string[]
  /** More lines for its database: `overlay memberof`, `sizelimit 10`, `access to …`. */
  readonly configuration?: string
}

export interface Slapd extends Service {
  /** `ldaps://127.0.0.1:PORT`, another port than that of `url`, which offers StartTLS. */
  readonly tlsUrl: string
  /** What a client has to trust for both. */
  readonly caFile: string
  readonly suffix: string
  /** Who may do everything, by this password. */
  readonly adminDn: string
  readonly adminPassword: string
}

const start = `
"$1/slapadd" -q -f "$2/slapd.conf" -l "$2/content.ldif" && exec "$1/slapd" -d 0 -f "$2/slapd.conf" -h "$3"
`

/** OpenLDAP with the schemas core, cosine, nis and inetOrgPerson; without rules of its own everybody may read and bind. */
export async function startSlapd({
  suffix = 'dc=example,dc=com',
  ldif = suffixEntry(suffix),
  modules = [],
  configuration = '',
}: SlapdOptions = {}): Promise<Slapd> {
  const admin = {adminDn: `cn=admin,${suffix}`, adminPassword: 'admin password'}
  let tlsUrl = ''
  const server = await startServer({
    name: 'slapd',
    async command(port, directory) {
      tlsUrl = `ldaps://127.0.0.1:${await freePort()}`
      const {caFile, certificateFile, keyFile} = await makeCertificate(directory)
      const data = join(directory, 'data')
      await mkdir(data)
      const schemas = ['/etc/ldap/schema', '/etc/openldap/schema'].find(existsSync) ?? 'schema'
      const lines = [
        ...['core', 'cosine', 'nis', 'inetorgperson'].map(name => `include ${schemas}/${name}.schema`),
        ...(existsSync('/usr/lib/ldap') ? ['modulepath /usr/lib/ldap', 'moduleload back_mdb'] : []),
        ...modules.map(name => `moduleload ${name}`),
        `TLSCACertificateFile ${caFile}`,
        `TLSCertificateFile ${certificateFile}`,
        `TLSCertificateKeyFile ${keyFile}`,
        'database mdb',
        `suffix "${suffix}"`,
        `rootdn "${admin.adminDn}"`,
        `rootpw "${admin.adminPassword}"`,
        `directory ${data}`,
        configuration,
      ]
      await writeFile(join(directory, 'slapd.conf'), `${lines.join('\n')}\n`)
      await writeFile(join(directory, 'content.ldif'), ldif)
      const binaries = join(program('slapd'), '..')
      const listeners = `ldap://127.0.0.1:${port} ${tlsUrl}`
      return ['/bin/sh', '-c', start, 'slapd', binaries, directory, listeners]
    },
    answers: answersTcp,
  })
  const caFile = join(server.directory, 'ca.pem')
  return {...server, ...admin, url: `ldap://127.0.0.1:${server.port}`, tlsUrl, caFile, suffix}
}

function suffixEntry(suffix: string): string {
  const [, name = 'example'] = /^dc=([^,]+)/.exec(suffix) ?? []
  return `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\ndc: ${name}\no: ${name}\n`
}
