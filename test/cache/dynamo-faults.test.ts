import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {completeMark} from '../../src/lib/cache/cache.js'
import type {DynamoCache} from '../../src/lib/cache/dynamo/dynamo.js'
import {PpcError, StorageFailed, Unavailable} from '../../src/lib/errors.js'
import {DatabaseFailed} from '../../src/lib/sql/failures.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startFaultProxy, type Fault, type FaultProxy, type FaultRule} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {repoRoot} from '../support/paths.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {openDynamo, openFresh} from './open-dynamo.js'

const file = (name: string, version: string, more: Partial<DistFile> = {}): DistFile => ({
  filename: `${name}-${version}.tar.gz`,
  name,
  version,
  lastModified: new Date('2026-11-20T23:12:23.466Z'),
  summary: null,
  data: {},
  ...more,
})

/** An answer as DynamoDB fails. */
const failure = (
  type: string,
  {status = 400, message = type, ...more}: Record<string, unknown> = {},
): Fault => ({
  kind: 'answer',
  status: Number(status),
  headers: {'Content-Type': 'application/x-amz-json-1.0', Date: new Date().toUTCString()},
  body: JSON.stringify({__type: `com.amazonaws.dynamodb.v20120810#${type}`, message, ...more}),
})
/** For requests of one operation. */
const on = (operation: string): Pick<FaultRule, 'when'> => ({
  when: ({headers}) => String(headers['x-amz-target']).endsWith(`.${operation}`),
})

async function sentence(work: Promise<unknown>, kind: abstract new (...args: never) => PpcError) {
  const error = await work.then(
    () => assert.fail('it worked'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof kind, String(error))
  assert.doesNotMatch(error.message, /wJalr|\n/)
  return error
}

for (const name of ['ministack', 'dynalite'] as const) {
  describe(`DynamoDB under faults (${name})`, needs(name), () => {
    let service: Service
    let proxy: FaultProxy
    let cache: DynamoCache
    let direct: DynamoCache
    const namespace = 'faults-'
    before(async () => {
      service = await startService(name)
      proxy = await startFaultProxy(service.url)
      direct = await openDynamo(service.url, {namespace})
      cache = await openDynamo(proxy.url, {namespace})
    })
    after(async () => {
      await cache[Symbol.asyncDispose]()
      await direct[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
    })
    const under = async <T>(faults: FaultRule[], work: () => Promise<T>): Promise<T> => {
      proxy.requests.length = 0
      proxy.faults = faults
      try {
        return await work()
      } finally {
        proxy.faults = []
      }
    }
    const throttled = failure('ProvisionedThroughputExceededException')

    it('loses nothing, writes nothing twice and leaves nothing half written when every sixth request fails', async () => {
      const kinds: Fault[] = [
        throttled,
        failure('ThrottlingException'),
        failure('InternalServerError', {status: 500}),
        {kind: 'answer', status: 503, body: '<html>a load balancer</html>'},
        {kind: 'reset'},
        {kind: 'lose-answer'},
        {kind: 'truncate', afterBytes: 3},
      ]
      const saved = Array.from({length: 12}, (_, project) =>
        Array.from({length: 5}, (_, version) =>
          file(`p${project}`, `${version}.0`, {
            lastModified: new Date(1_700_000_000_000 + version * 1000),
            summary: `summary ${version}`,
          }),
        ),
      )
      await under(
        kinds.map(fault => ({fault, probability: 1 / 6 / kinds.length})),
        async () => {
          await using lock = await cache.acquireLock('rebuild', {owner: 'a'})
          await Promise.all(saved.map(files => cache.save(files, {lock})))
          // of each project the newest goes, and of one all
          await Promise.all(saved.map(files => cache.remove(files.slice(-1), {lock})))
          const {emptied} = await cache.remove(saved[0]!)
          assert.deepEqual(emptied, ['p0'])
          await cache.setState(completeMark, 'now', {lock})
          assert.equal((await cache.listFiles('p7')).length, 4)
          assert.equal((await cache.search({name: ['p7']}, 'or'))[0]?.version, '3.0')
          assert.equal(lock.signal.aborted, false)
          assert.ok(proxy.requests.filter(({fault}) => fault).length > 10)
        },
      )
      const left = saved.slice(1).map(files => files.slice(0, 4))
      const listed: DistFile[] = []
      for await (const each of direct.listAllFiles()) listed.push(each)
      const byName = (a: DistFile, b: DistFile) => (a.filename < b.filename ? -1 : 1)
      assert.deepEqual(listed, left.flat().sort(byName))
      assert.deepEqual(
        await direct.listSummaries(),
        left
          .map(files => files[3]!)
          .map(({name, lastModified, summary}) => ({name, lastModified, summary}))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      )
      assert.equal(await direct.getState(completeMark), 'now')
      await (await direct.acquireLock('rebuild', {owner: 'b'}))[Symbol.asyncDispose]()
    })

    it('knows what it has written when the answers are lost', async () => {
      const first = file('lost', '1', {data: {fingerprint: 'a'}})
      const next = {...first, data: {fingerprint: 'b'}}
      // dynalite has no transactions: there each step is a request, of which each is sent twice
      const lost = ['TransactWriteItems', 'PutItem', 'UpdateItem', 'DeleteItem'].flatMap(operation =>
        [1, 3, 5, 7].map(nth => ({...on(operation), fault: {kind: 'lose-answer'} as const, nth})),
      )
      assert.deepEqual(await under(lost, () => cache.save([first], {seen: new Map()})), [first])
      const seen = new Map([[first.filename, first]])
      assert.deepEqual(await under(lost, () => cache.save([next], {seen})), [next])
      const {removed, emptied} = await under(lost, () => cache.remove([next], {ifUnchanged: true}))
      assert.deepEqual([removed, emptied], [[next], ['lost']])
    })

    it('asks again for keys that were left out of an answer', async () => {
      const files = ['1', '2', '3'].map(version => file('left-out', version))
      await cache.save(files)
      const table = `${namespace}DynamoPackage`
      const keys = files.map(({filename}) => ({filename: {S: filename}}))
      const none = {[table]: {Keys: keys, ConsistentRead: true}}
      const found = await under(
        [
          {
            ...on('BatchGetItem'),
            first: 3,
            fault: {
              kind: 'answer',
              status: 200,
              body: JSON.stringify({Responses: {}, UnprocessedKeys: none}),
            },
          },
        ],
        () => cache.findFiles(files.map(({filename}) => filename)),
      )
      assert.equal(found.size, 3)
      assert.equal(proxy.requests.length, 4)
    })

    it('gives up on what stays broken, in one sentence, and works again afterwards', async () => {
      for (const fault of [{kind: 'reset'}, {kind: 'truncate', afterBytes: 3}] as const) {
        const error = await under([{fault}], () => sentence(cache.save([file('down', '1')]), Unavailable))
        assert.match(error.message, /^server\.ini: db\.host: DynamoDB at \S+ can't be reached now \(.+\)$/)
        assert.ok(proxy.requests.length <= 30)
      }
      assert.deepEqual(await direct.listFiles('down'), [])
      await cache.save([file('down', '1')])
      assert.equal((await direct.listFiles('down')).length, 1)
    })

    it('goes on when the clock of this host was wrong', async () => {
      const later = new Date(Date.now() + 3_600_000).toUTCString()
      const late = failure('InvalidSignatureException', {message: 'Signature not yet current'})
      const fault = {...late, headers: {Date: later}} as Fault
      assert.equal(await under([{fault, nth: 1}], () => cache.findFile('nothing-1.zip')), undefined)
    })
  })
}

describe('a DynamoDB that refuses', needs('ministack', 'dynalite'), () => {
  let service: Service
  let proxy: FaultProxy
  before(async () => {
    service = await startService('ministack')
    proxy = await startFaultProxy(service.url)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  it('credentials, or says which right they lack', async () => {
    const refused = /^server\.ini: db\.aws_access_key_id: DynamoDB at \S+ refuses these credentials \(\w+\)$/
    for (const [fault, words] of [
      [failure('UnrecognizedClientException'), refused],
      [failure('InvalidSignatureException'), refused],
      [failure('ExpiredTokenException'), /db\.aws_access_key_id: the credentials have expired: renew them$/],
    ] as const) {
      proxy.faults = [{fault}]
      assert.match((await sentence(openDynamo(proxy.url), DatabaseFailed)).message, words)
    }
    const message =
      'User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:CreateTable on resource: …/DynamoPackagePpcToolkit'
    proxy.faults = [{fault: failure('AccessDeniedException', {message}), ...on('CreateTable')}]
    const error = await sentence(openFresh(proxy.url), DatabaseFailed)
    assert.match(
      error.message,
      /^server\.ini: db\.aws_access_key_id: these credentials lack a right: .*CreateTable/,
    )
    assert.match(error.hint ?? '', /caches\.md .*"DynamoDB"/)
    proxy.faults = []
  })

  it('to be DynamoDB: something else listens there, or it speaks no HTTPS', async () => {
    proxy.faults = [{fault: {kind: 'answer', status: 200, body: '<html>hello'}}]
    const other = await sentence(openDynamo(proxy.url), DatabaseFailed)
    assert.match(other.message, /db\.host: DynamoDB at \S+ does not answer as DynamoDB does: check/)
    proxy.faults = []
    const plain = await sentence(openDynamo(proxy.url, {secure: true}), DatabaseFailed)
    assert.match(plain.message, /does not speak as expected \(EPROTO\): check db\.port and db\.secure$/)
    const misspelt = await sentence(
      openDynamo(proxy.url, {host: undefined, regionName: 'a b'}),
      DatabaseFailed,
    )
    assert.match(misspelt.message, /^server\.ini: db\.region_name: .*"a b"/)
  })

  it('a row that is too large', async () => {
    await using strict = await startService('dynalite')
    await using cache = await openDynamo(strict.url)
    const large = file('large', '1', {summary: 'x'.repeat(500_000)})
    const error = await sentence(cache.save([large]), StorageFailed)
    assert.match(error.message, /takes no item of more than 400 KB: the summary/)
  })

  it('everything, since there are no credentials: exit code 1; nobody listens: 75', async () => {
    await using dir = await tempDir()
    const run = async (...settings: string[]) => {
      const lines = [
        '[app:main]',
        'use = egg:pypicloud',
        'storage.dir = packages',
        'pypi.db = dynamo',
        ...settings,
      ]
      await writeFile(dir.join('server.ini'), `${lines.join('\n')}\n`)
      return runProgram(
        process.execPath,
        [join(repoRoot, 'bin', 'ppc-rebuild-cache.js'), dir.join('server.ini')],
        {cwd: dir.path, env: {AWS_EC2_METADATA_DISABLED: 'true'}},
      )
    }
    const place = ['db.host = 127.0.0.1', 'db.port = 9']
    const missing = await run(...place)
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /db\.aws_access_key_id: no AWS credentials were found/)
    const down = await run(...place, 'db.aws_access_key_id = a', 'db.aws_secret_access_key = s')
    assert.equal(down.code, 75)
    assert.match(
      down.stderr,
      /db\.host: DynamoDB at http:\/\/127\.0\.0\.1:9 can't be reached now \(ECONNREFUSED\)\n$/,
    )
  })
})
