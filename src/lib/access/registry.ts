import type {Config} from '../config/config.js'
import {findBackend, type BackendEntry, type Opener} from '../registry.js'
import type {Access} from './access.js'

/** The values that `pypi.auth` may have. */
export const accesses: readonly BackendEntry<Access>[] = [
  {
    name: 'config',
    aliases: ['pypicloud.access.ConfigAccessBackend', 'pypicloud.access.config.ConfigAccessBackend'],
    load: async () => (await import('./config.js')).openConfigAccess,
  },
  {
    name: 'sql',
    aliases: ['pypicloud.access.SQLAccessBackend', 'pypicloud.access.sql.SQLAccessBackend'],
    load: async () => (await import('./sql/sql.js')).openSqlAccess,
  },
  {
    name: 'remote',
    aliases: ['pypicloud.access.RemoteAccessBackend', 'pypicloud.access.remote.RemoteAccessBackend'],
    load: async () => (await import('./remote/remote.js')).openRemoteAccess,
  },
  {
    name: 'ldap',
    aliases: ['pypicloud.access.ldap_.LDAPAccessBackend'],
    load: async () => (await import('./ldap/ldap.js')).openLdapAccess,
  },
  {
    name: 'aws_secrets_manager',
    aliases: [
      'pypicloud.access.AWSSecretsManagerAccessBackend',
      'pypicloud.access.aws_secrets_manager.AWSSecretsManagerAccessBackend',
    ],
    load: async () => (await import('./secrets-manager/secrets-manager.js')).openSecretsManagerAccess,
  },
]

export const findAccess = (config: Config): Promise<Opener<Access>> =>
  findBackend('pypi.auth', accesses, config.core.auth, config)
