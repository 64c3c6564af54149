/** Keys that no 1.x reads any more, or that documentation misspelt, and what to write instead. */
export const retiredKeys: ReadonlyMap<string, string> = new Map([
  // renamed by 1.0.0, COMPAT §1.6
  ['storage.access_key', 'storage.aws_access_key_id'],
  ['storage.secret_key', 'storage.aws_secret_access_key'],
  ['storage.region', 'storage.region_name'],
  ['storage.sse', 'storage.server_side_encryption'],
  ['storage.calling_format', 'storage.addressing_style'],
  // the documentation's slips, COMPAT §1.5 and §1.8
  ['pypi.s3', 'pypi.storage'],
  ['pypi.auth.admin_group_dn', 'auth.ldap.admin_group_dn'],
])
