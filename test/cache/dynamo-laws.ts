import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  type TableDescription,
} from '@aws-sdk/client-dynamodb'
import {completeMark} from '../../src/lib/cache/cache.js'
import type {Item} from '../../src/lib/cache/dynamo/items.js'
import {LockHeld, Unavailable} from '../../src/lib/errors.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {describeCache} from '../contracts/cache.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {newLib} from './new-lib.js'
import {open, openDynamo, openFresh, settingsFor} from './open-dynamo.js'

const module = new URL('./open-dynamo.js', import.meta.url).href
const file = newLib({uploader: 'bob', requires_python: '>=3.6', size: 1200})

interface Fixture {
  readonly describe: TableDescription
  readonly items: readonly Item[]
}
const folder = join(fixtures, 'dynamodb')
const readFixture = (name: string) =>
  Object.entries(JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, Fixture>)

/** All that is peculiar to DynamoDB. MiniStack has transactions, dynalite has none and is stricter about everything else. */
export function describeDynamo(name: 'ministack' | 'dynalite'): void {
  describe(`DynamoDB cache on ${name}`, needs(name), () => {
    let service: Service
    let client: DynamoDBClient
    before(async () => {
      process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
      service = await startService(name)
      const {accessKeyId = '', secretAccessKey = ''} = settingsFor(service.url)
      client = new DynamoDBClient({
        endpoint: service.url,
        region: 'us-east-1',
        credentials: {accessKeyId, secretAccessKey},
      })
    })
    after(async () => {
      client.destroy()
      await service[Symbol.asyncDispose]()
    })
    describeCache(
      `dynamo (${name})`,
      () => open(service.url),
      {},
      () => ({module, argument: service.url}),
      {many: name === 'dynalite' ? 100 : 600, rounds: 12},
    )

    const items = async (table: string) =>
      ((await client.send(new ScanCommand({TableName: table}))).Items ?? []).sort((a, b) =>
        JSON.stringify(a['filename'] ?? a['name']) < JSON.stringify(b['filename'] ?? b['name']) ? -1 : 1,
      )
    const create = async (table: TableDescription, prefix: string) =>
      client.send(
        new CreateTableCommand({
          TableName: `${prefix}${table.TableName ?? ''}`,
          AttributeDefinitions: table.AttributeDefinitions,
          KeySchema: table.KeySchema,
          ProvisionedThroughput: {ReadCapacityUnits: 5, WriteCapacityUnits: 5},
          ...(table.GlobalSecondaryIndexes?.length && {
            GlobalSecondaryIndexes: table.GlobalSecondaryIndexes.map(index => ({
              IndexName: index.IndexName,
              KeySchema: index.KeySchema,
              Projection: index.Projection,
              ProvisionedThroughput: {ReadCapacityUnits: 5, WriteCapacityUnits: 5},
            })),
          }),
        }),
      )
    const drop = (table: string) => client.send(new DeleteTableCommand({TableName: table}))
    const describeTable = async (table: string) =>
      (await client.send(new DescribeTableCommand({TableName: table}))).Table

    for (const fixture of readdirSync(folder).filter(each => each.endsWith('.json'))) {
      it(`reads ${fixture} of pypicloud whole, and writes its items as they were`, async () => {
        const prefix = `${fixture}-`
        const [files, projects] = readFixture(fixture)
        assert.ok(files && projects)
        for (const [, {describe: form}] of [files, projects]) await create(form, prefix)
        await using cache = await openDynamo(service.url, {
          namespace: prefix,
          tablenames: [files[0], projects[0]],
        })
        for (const [table, {items: rows}] of [files, projects]) {
          for (const row of rows) {
            await client.send(new PutItemCommand({TableName: `${prefix}${table}`, Item: row}))
          }
        }
        const before = await items(`${prefix}${files[0]}`)
        const all: DistFile[] = []
        for await (const each of cache.listAllFiles()) all.push(each)
        assert.equal(all.length, files[1].items.length)
        assert.equal((await cache.listFiles('foo-bar-baz')).length, 3)
        assert.equal(await cache.getState(completeMark), undefined)
        await cache.save(all)
        assert.deepEqual(await items(`${prefix}${files[0]}`), before)
        const names = (await items(`${prefix}${projects[0]}`)).map(item => item['name']?.S)
        assert.deepEqual(names.sort(), [...new Set(all.map(each => each.name))].sort())
      })
    }

    it('writes items as pypicloud does, and the newest file into the project', async () => {
      const namespace = 'form-'
      await using cache = await openDynamo(service.url, {namespace})
      await cache.save([file])
      await cache.save([{...file, filename: 'old.zip', lastModified: new Date(0), summary: 'old'}])
      assert.deepEqual((await items('form-DynamoPackage'))[0], {
        filename: {S: 'new_lib-1.0-py3-none-any.whl'},
        name: {S: 'new-lib'},
        version: {S: '1.0'},
        last_modified: {N: '1795216343.466'},
        summary: {S: 'Zähler 🎉'},
        data: {M: {uploader: {S: 'bob'}, requires_python: {S: '>=3.6'}, size: {N: '1200'}}},
      })
      const [project] = await items('form-PackageSummary')
      assert.equal(project?.['summary']?.S, 'Zähler 🎉')
      await cache.remove([file])
      assert.equal((await items('form-PackageSummary'))[0]?.['summary']?.S, 'old')
    })

    it('creates tables as asked, and leaves those alone that are something else', async () => {
      await using onDemand = await openDynamo(service.url, {namespace: 'a.'})
      assert.ok(onDemand)
      assert.equal(
        (await describeTable('a.DynamoPackage'))?.BillingModeSummary?.BillingMode,
        'PAY_PER_REQUEST',
      )
      await using provisioned = await openDynamo(service.url, {
        namespace: 'b.',
        tablenames: ['Files', 'Projects'],
        billing: 'provisioned',
      })
      assert.ok(provisioned)
      const table = await describeTable('b.Files')
      assert.equal(table?.ProvisionedThroughput?.ReadCapacityUnits, 5)
      assert.equal(table.GlobalSecondaryIndexes?.[0]?.IndexName, 'name-index')
      await assert.rejects(
        openDynamo(service.url, {namespace: 'b.', tablenames: ['Projects', 'Other']}),
        /server\.ini: db\.tablenames: the table b\.Projects .* has other keys or indexes than pypicloud's/,
      )
    })

    it('forgets that it is complete when pypicloud drops the tables, and is unavailable while they are gone', async () => {
      const namespace = 'mark-'
      await using cache = await openDynamo(service.url, {namespace})
      await cache.save([file])
      await cache.setState(completeMark, 'now')
      assert.equal(await cache.getState(completeMark), 'now')
      const tables = ['mark-DynamoPackage', 'mark-PackageSummary']
      const forms = await Promise.all(tables.map(describeTable))
      for (const table of tables) await drop(table)
      await assert.rejects(cache.listFiles('new-lib'), Unavailable)
      for (const form of forms) await create(form ?? {}, '')
      await new Promise(resolve => setTimeout(resolve, 1100)) // a table is looked up once a second
      assert.equal(await cache.getState(completeMark), undefined)
      await cache.save([file])
      assert.equal(await cache.getState(completeMark), undefined)
      await cache.remove([file])
      await cache.setState(completeMark, 'again')
      assert.equal(await cache.getState(completeMark), 'again')
    })

    it('finds what the index does not show yet, and clears a project that has no file', async () => {
      const namespace = 'orphan-'
      await using cache = await openDynamo(service.url, {namespace})
      const item = {name: {S: 'left-over'}, last_modified: {N: '1'}}
      await client.send(new PutItemCommand({TableName: 'orphan-PackageSummary', Item: item}))
      assert.deepEqual(await cache.listProjects(), ['left-over'])
      assert.deepEqual(await cache.listFiles('left-over'), [])
      assert.deepEqual(await cache.listProjects(), [])
    })

    it('may hold items that nobody should have written', async () => {
      await using cache = await openDynamo(service.url, {namespace: 'odd-'})
      for (const item of [
        {filename: {S: 'nameless.zip'}},
        {filename: {S: 'b-1.zip'}, name: {S: 'b'}, last_modified: {S: 'yesterday'}, data: {S: 'not json'}},
        {filename: {S: 'c-1.zip'}, name: {S: 'c'}, last_modified: {N: '5'}, data: {S: '{"path": "x"}'}},
      ]) {
        await client.send(new PutItemCommand({TableName: 'odd-DynamoPackage', Item: item}))
      }
      assert.deepEqual((await cache.findFile('b-1.zip'))?.data, {})
      assert.deepEqual((await cache.findFile('c-1.zip'))?.data, {path: 'x'})
      assert.equal(await cache.findFile('nameless.zip'), undefined)
      const saved = await cache.save([
        {...file, filename: 'nameless.zip'},
        {...file, filename: 'b-1.zip'},
      ])
      assert.equal(saved.length, 2)
    })

    it('takes over a lock that has no heartbeat for its expiry, and not one that beats', async () => {
      await using cache = await openFresh(service.url)
      const lock = await cache.acquireLock('rebuild', {owner: 'a', expireAfterSeconds: 1})
      await assert.rejects(cache.acquireLock('rebuild', {owner: 'b'}), LockHeld)
      await lock[Symbol.asyncDispose]()
      await using next = await cache.acquireLock('rebuild', {owner: 'b'})
      assert.equal(next.signal.aborted, false)
    })
  })
}
