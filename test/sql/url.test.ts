import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {openDatabase} from '../../src/lib/sql/database.js'
import {parseDatabaseUrl} from '../../src/lib/sql/url.js'

describe('database URLs', () => {
  for (const [url, path] of [
    ['sqlite:///rel.db', 'rel.db'],
    ['sqlite:////var/lib/pypicloud/db.sqlite', '/var/lib/pypicloud/db.sqlite'],
    ['sqlite+pysqlite:////a b/100%.db', '/a b/100%.db'],
    ['sqlite:////srv/x@y:z.db', '/srv/x@y:z.db'],
    ['sqlite:///file:/srv/x.db?mode=ro&uri=true', '/srv/x.db'],
    ['sqlite://', undefined],
    ['sqlite:///', undefined],
    ['sqlite:///:memory:', undefined],
  ] as const) {
    it(`${url} is ${path ?? 'in memory'}`, () => {
      const parsed = parseDatabaseUrl(url)
      assert.equal(parsed?.dialect === 'sqlite' ? parsed.path : 'no', path)
    })
  }
  it('name servers with odd passwords', () => {
    const mysql = parseDatabaseUrl('mysql+pymysql://bob:p%40s/s@w@db.example:3307/pypi?charset=utf8mb4')
    assert.deepEqual(mysql, {
      dialect: 'mysql',
      host: 'db.example',
      port: 3307,
      username: 'bob',
      password: 'p@s/s@w',
      database: 'pypi',
      query: new URLSearchParams('charset=utf8mb4'),
    })
    assert.equal(parseDatabaseUrl('postgres://localhost/pypi')?.dialect, 'postgresql')
  })
  for (const url of [
    '',
    'rel.db',
    'sqlite://rel.db',
    'oracle://a:geheim@b/c',
    '__proto__://x',
    'mysql://h:port/x',
  ]) {
    it(`"${url}" is none`, () => assert.equal(parseDatabaseUrl(url), undefined))
  }
  it('of other databases are refused in a sentence without the password', async () => {
    const opening = openDatabase('oracle://bob:geheim@host/db', {file: 'server.ini', key: 'db.url'})
    await assert.rejects(opening, (error: Error) => {
      assert.match(error.message, /^server\.ini: db\.url: /)
      assert.doesNotMatch(error.message, /geheim/)
      return error.name === 'UnknownBackend'
    })
  })
  for (const url of [
    'postgresql+psycopg2://bob:geheim@127.0.0.1:9/pypi?ssl_mode=require',
    'mysql+pymysql://bob:geheim@127.0.0.1:9/pypi?sslmode=require',
  ]) {
    it(`with an option that no driver has are refused (${url.split(':')[0]})`, async () => {
      const opening = openDatabase(url, {file: 'server.ini', key: 'db.url'})
      await assert.rejects(opening, (error: Error) => {
        assert.match(
          error.message,
          /^server\.ini: db\.url: unknown option "ssl_?mode" in the URL, expected one of /,
        )
        assert.doesNotMatch(error.message, /geheim/)
        return error.name === 'UsageError'
      })
    })
  }
  for (const url of [
    'postgresql+psycopg2://bob@127.0.0.1:9/pypi?client_encoding=utf8&target_session_attrs=any&sslmode=disable',
    'postgresql://bob@/pypi?host=127.0.0.1&port=9&connect_timeout=3',
    'mysql+mysqldb://bob@127.0.0.1:9/pypi?charset=utf8mb4&use_unicode=1&read_default_file=/etc/my.cnf',
    'mysql://bob@localhost/pypi?unix_socket=/nowhere/mysql.sock',
  ]) {
    it(`with the options of Python's drivers are taken (${url})`, async () => {
      const opening = openDatabase(url, {file: 'server.ini', key: 'db.url'})
      await assert.rejects(opening, /can't reach .*(?:connection was refused|no such socket)/)
    })
  }
})
