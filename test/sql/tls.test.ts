import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {PpcError} from '../../src/lib/errors.js'
import {openDatabase} from '../../src/lib/sql/database.js'
import {makeCertificate} from '../services/certificate.js'
import {startService} from '../services/index.js'
import type {DatabaseServer, TlsFiles} from '../services/postgresql.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'

const where = {file: 'server.ini', key: 'db.url'}

/** What differs between the two. */
const servers = {
  postgresql: {
    /** One text: the cipher, or nothing. */
    cipher: `SELECT coalesce(cipher, '') AS cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()`,
    plain: ['sslmode=disable', 'sslmode=allow'],
    encrypted: ['', 'sslmode=prefer', 'sslmode=require'],
    trusting: (ca: string) => [
      `sslmode=require&sslrootcert=${ca}`,
      `sslmode=verify-ca&sslrootcert=${ca}`,
      `sslmode=verify-full&sslrootcert=${ca}`,
    ],
    hosts: {right: ['127.0.0.1', 'localhost'], wrong: '127.0.0.2'},
    identity: (ca: string) => ({
      checked: `sslmode=verify-full&sslrootcert=${ca}`,
      unchecked: `sslmode=verify-ca&sslrootcert=${ca}`,
    }),
    client: ({caFile, bob}: TlsFiles) =>
      `sslmode=verify-full&sslrootcert=${caFile}&sslcert=${bob.certificateFile}&sslkey=${bob.keyFile}`,
    socket: ({socket}: TlsFiles, port: number) => `postgresql://ppc@/postgres?host=${socket}&port=${port}`,
    demanding: 'sslmode=require',
    file: 'sslrootcert',
  },
  mariadb: {
    cipher: `SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'`,
    plain: ['', 'ssl_mode=DISABLED'],
    encrypted: ['ssl_mode=REQUIRED'],
    trusting: (ca: string) => [
      `ssl_ca=${ca}`,
      `ssl_ca=${ca}&ssl_verify_cert=true`,
      `ssl_ca=${ca}&ssl_mode=VERIFY_CA`,
    ],
    hosts: {right: ['localhost'], wrong: '127.2'}, // which is no address to the driver
    identity: (ca: string) => ({
      checked: `ssl_ca=${ca}&ssl_verify_identity=true`,
      unchecked: `ssl_ca=${ca}`,
    }),
    client: ({caFile, bob}: TlsFiles) =>
      `ssl_ca=${caFile}&ssl_cert=${bob.certificateFile}&ssl_key=${bob.keyFile}`,
    socket: ({socket}: TlsFiles) => `mysql://ppc:ppc@localhost/mysql?unix_socket=${socket}`,
    demanding: 'ssl_mode=REQUIRED',
    file: 'ssl_ca',
  },
} as const

for (const name of ['postgresql', 'mariadb'] as const) {
  const ways = servers[name]
  describe(`ways to ${name}`, needs(name, 'openssl'), () => {
    let server: DatabaseServer & {tls: TlsFiles | undefined}
    let files: TlsFiles
    before(async () => {
      server = await startService(name, {tls: true})
      assert.ok(server.tls)
      files = server.tls
    })
    after(() => server[Symbol.asyncDispose]())

    const cipherOf = async (url: string): Promise<string> => {
      await using database = await openDatabase(url, where)
      const [row] = await database.withConnection(connection => connection.run(ways.cipher))
      return String(row?.['cipher'])
    }
    const refusal = async (url: string): Promise<string> => {
      const error = await cipherOf(url).then(
        cipher => assert.fail(`connected by ${cipher}`),
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof PpcError, String(error))
      assert.match(error.message, /^server\.ini: db\.url: [^\n]+$/)
      return error.message
    }

    it('are encrypted as the options say', async () => {
      for (const options of ways.plain) assert.equal(await cipherOf(`${server.url}?${options}`), '', options)
      for (const options of [...ways.encrypted, ...ways.trusting(files.caFile)])
        assert.match(await cipherOf(`${server.url}?${options}`), /^TLS_|^ECDHE/, options)
    })

    it('are refused where the server has a certificate of somebody else, or for another host', async () => {
      await using dir = await tempDir()
      const {caFile: stranger} = await makeCertificate(dir.path)
      for (const options of ways.trusting(stranger)) {
        const told = await refusal(`${server.url}?${options}`)
        assert.match(told, /can't be reached by TLS as the URL says: .*(?:self-signed|verify|issuer)/i)
        assert.ok(told.includes(ways.file), told)
      }
      const at = (host: string) => server.url.replace('127.0.0.1', host)
      const {checked, unchecked} = ways.identity(files.caFile)
      const {right, wrong} = ways.hosts
      for (const host of right) assert.match(await cipherOf(`${at(host)}?${checked}`), /^TLS_|^ECDHE/)
      const told = await refusal(`${at(wrong)}?${checked}`)
      assert.ok(told.includes(`says: its certificate is not for ${wrong}: write a host name`), told)
      assert.match(await cipherOf(`${at(wrong)}?${unchecked}`), /^TLS_|^ECDHE/)
    })

    if (name === 'mariadb') {
      it('are checked by the name of the host, so that an address is refused', async () => {
        const {checked} = ways.identity(files.caFile)
        await assert.rejects(openDatabase(`${server.url}?${checked}`, where), {
          message:
            'server.ini: db.url: a certificate is checked for a host name only: write one instead of 127.0.0.1',
        })
      })
    }

    it('are open to who shows a certificate of his own', async () => {
      const bobs = server.url.replace(/\/\/[^@]+@/, '//bob@')
      assert.match(await cipherOf(`${bobs}?${ways.client(files)}`), /^TLS_|^ECDHE/)
      assert.match(await refusal(`${bobs}?${ways.demanding}`), /does not let in the user "bob"/)
    })

    it('lead through a socket', async () => {
      assert.equal(await cipherOf(ways.socket(files, server.port)), '')
    })

    it('are refused where TLS is demanded of a server without', async () => {
      await using plain = await startService(name)
      assert.match(await refusal(`${plain.url}?${ways.demanding}`), /can't be reached by TLS as the URL says/)
    })
  })
}
