import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {Redis} from 'ioredis'
import {createConnection} from 'mysql2/promise'
import pg from 'pg'
import {needs, program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {startService, type Service} from './index.js'

async function status(url: string, init?: RequestInit): Promise<number> {
  const answer = await fetch(url, init)
  await answer.text()
  return answer.status
}

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false // it has ended, perhaps while it was looked for
  }
}

/** Uses a service, ends it, and looks whether it is gone. */
async function useAndEnd<Kind extends Service>(
  service: Kind,
  use: (service: Kind) => Promise<void>,
): Promise<void> {
  try {
    assert.ok(isRunning(service.pid))
    await use(service)
  } finally {
    await service[Symbol.asyncDispose]()
  }
  assert.ok(!isRunning(service.pid))
}

describe('services for tests start, answer and end', () => {
  it('moto', needs('moto'), async () =>
    useAndEnd(await startService('moto'), async ({url}) => {
      const headers = {authorization: 'AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/s3/aws4_request'}
      assert.equal(await status(`${url}/bucket`, {method: 'PUT', headers}), 200)
      assert.equal(await status(`${url}/bucket/key`, {method: 'PUT', headers, body: 'x'}), 200)
    }),
  )

  it('versitygw, which wants signatures', needs('versitygw'), async () =>
    useAndEnd(await startService('versitygw'), async ({url}) => {
      assert.equal(await status(`${url}/bucket`, {method: 'PUT'}), 403)
    }),
  )

  it('fake-gcs-server', needs('fake-gcs-server'), async () =>
    useAndEnd(await startService('fake-gcs-server'), async ({url}) => {
      const headers = {'content-type': 'application/json'}
      const bucket = {method: 'POST', headers, body: '{"name": "bucket"}'}
      assert.equal(await status(`${url}/storage/v1/b?project=test`, bucket), 200)
    }),
  )

  it('azurite, which wants signatures', needs('azurite'), async () =>
    useAndEnd(await startService('azurite'), async ({url}) => {
      assert.equal(await status(`${url}/container?restype=container`, {method: 'PUT'}), 403)
    }),
  )

  for (const name of ['dynalite', 'ministack'] as const) {
    it(name, needs(name), async () =>
      useAndEnd(await startService(name), async ({url}) => {
        const headers = {
          'x-amz-target': 'DynamoDB_20120810.ListTables',
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-date': '20200101T000000Z',
          authorization:
            'AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=a',
        }
        assert.equal(await status(url, {method: 'POST', headers, body: '{}'}), 200)
      }),
    )
  }

  it('redis, plain and by TLS with a password', needs('redis', 'openssl'), async () => {
    for (const options of [{}, {tls: true, password: 'p q'}]) {
      await useAndEnd(await startService('redis', options), async ({url, caFile}) => {
        const tls = caFile === undefined ? {} : {tls: {ca: readFileSync(caFile)}}
        const client = new Redis(url, tls)
        assert.equal(await client.set('a', 'b'), 'OK')
        client.disconnect()
      })
    }
  })

  it('redis-cluster', needs('redis-cluster'), async () =>
    useAndEnd(await startService('redis-cluster'), async ({nodes}) => {
      const client = new Redis.Cluster([...nodes])
      for (const key of ['a', 'b', 'c', 'd']) assert.equal(await client.set(key, 'x'), 'OK')
      client.disconnect()
    }),
  )

  it('redis-sentinel, which finds another master', needs('redis-sentinel'), async () =>
    useAndEnd(await startService('redis-sentinel'), async ({port, masterName, master, replica}) => {
      const client = new Redis({sentinels: [{host: '127.0.0.1', port}], name: masterName})
      assert.equal(await client.set('a', 'b'), 'OK')
      client.disconnect()
      await master[Symbol.asyncDispose]()
      const other = new Redis(replica.port, '127.0.0.1')
      while (!(await other.info('replication')).includes('role:master')) await sleep(100)
      other.disconnect()
    }),
  )

  for (const name of ['postgresql', 'mariadb'] as const) {
    it(`${name}, with any number of databases`, needs(name), async () =>
      useAndEnd(await startService(name), async service => {
        for (const url of [service.url, await service.createDatabase()])
          await (name === 'mariadb' ? inMariadb : inPostgresql)(url, 'CREATE TABLE only_here (a INTEGER)')
      }),
    )
  }

  it('slapd, by StartTLS and LDAPS', needs('slapd', 'ldapsearch', 'openssl'), async () =>
    useAndEnd(await startService('slapd'), async ({url, tlsUrl, caFile, suffix, adminDn, adminPassword}) => {
      await using directory = await tempDir()
      for (const connection of [
        ['-ZZ', '-H', url],
        ['-H', tlsUrl],
      ]) {
        const search = [...connection, '-LLL', '-x', '-D', adminDn, '-w', adminPassword, '-b', suffix]
        const found = await runProgram(program('ldapsearch'), search, {
          cwd: directory.path,
          env: {LDAPTLS_CACERT: caFile},
        })
        assert.match(found.stdout, /^dn: dc=example,dc=com$/m, found.stderr)
      }
    }),
  )

  it('end with the process that started them, however it dies', needs('redis'), async () => {
    const index = new URL('index.js', import.meta.url).href
    const script = `
      const {startService} = await import(${JSON.stringify(index)})
      const service = await startService('redis')
      process.send(service.pid, () => process.kill(process.pid, 'SIGKILL'))`
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const [pid] = (await once(owner, 'message')) as [number]
    while (isRunning(pid)) await sleep(50)
  })

  it("tell in their own words why they didn't start", needs('redis'), async () => {
    const start = startService('redis', {settings: ['--no-such-setting', 'x']})
    await assert.rejects(start, /redis ended before it answered[^]*no-such-setting/)
  })
})

async function inPostgresql(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(sql)
  await client.end()
}

async function inMariadb(url: string, sql: string): Promise<void> {
  const connection = await createConnection(url)
  await connection.query(sql)
  await connection.end()
}
