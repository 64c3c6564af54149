import {UsageError} from '../errors.js'
import type {DatabaseUrl} from './url.js'

type Server = 'postgresql' | 'mysql'

/** What has an effect here, by database. */
const used: Readonly<Record<Server, string>> = {
  postgresql: `host port dbname user password options application_name connect_timeout
    sslmode sslrootcert sslcert sslkey`,
  mysql: `host port user password passwd db database unix_socket connect_timeout charset use_unicode
    ssl_ca ssl_cert ssl_key ssl_mode ssl_disabled ssl_verify_cert ssl_verify_identity ssl_check_hostname`,
}

/**
 * What else libpq, psycopg2, pg8000 and asyncpg take (PostgreSQL docs §34.1.2), and mysqlclient and PyMySQL: accepted, so
 * that URLs go on to work, where all that would be lost is a Python driver's own way of doing what is done here.
 */
const ignored: Readonly<Record<Server, string>> = {
  postgresql: `hostaddr passfile client_encoding fallback_application_name keepalives keepalives_idle keepalives_interval
    keepalives_count tcp_user_timeout sslcompression sslcrl sslcrldir sslpassword sslsni gssencmode krbsrvname gsslib
    channel_binding require_auth ssl_min_protocol_version ssl_max_protocol_version target_session_attrs
    load_balance_hosts requirepeer sslnegotiation service timeout tcp_keepalive unix_sock async_fallback
    prepared_statement_cache_size statement_cache_size command_timeout server_side_cursors use_native_unicode
    executemany_mode`,
  mysql: `compress init_command read_default_file read_default_group read_timeout write_timeout local_infile client_flag
    binary_prefix auto_reconnect sql_mode ssl ssl_cipher ssl_capath ssl_key_password max_allowed_packet autocommit
    bind_address program_name server_public_key defer_connect named_pipe conv cursorclass auth_plugin use_pure
    collation`,
}

/** @throws {UsageError} for an option that no driver knows either, as Python's drivers refuse it. */
export function checkUrlOptions(
  {dialect, query}: Exclude<DatabaseUrl, {dialect: 'sqlite'}>,
  at: string,
): void {
  const known = `${used[dialect]} ${ignored[dialect]}`.split(/\s+/)
  for (const option of query.keys()) {
    if (known.includes(option)) continue
    const choice = used[dialect].split(/\s+/).sort().join(', ')
    throw new UsageError(
      `${at}: unknown option ${JSON.stringify(option)} in the URL, expected one of ${choice}`,
    )
  }
}
