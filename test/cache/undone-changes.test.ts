import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {DeleteItemCommand, DynamoDBClient, PutItemCommand} from '@aws-sdk/client-dynamodb'
import {IndexPages, type Page} from '../../src/lib/index/index-pages.js'
import {openIndex} from '../index/open-index.js'
import {startService, type Service} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {sqlClient} from '../services/sql-client.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {openDynamo, settingsFor} from './open-dynamo.js'

/** Milliseconds after which a change by a program that does not tell us must show. */
const fresh = 1100
const json = 'application/vnd.pypi.simple.v1+json'
const place = {root: '../../', address: () => 'https://pypi.example.com/'}

for (const name of ['postgresql', 'mariadb'] as const) {
  describe(`what others add and delete within a second, on ${name}`, needs(name), () => {
    let server: DatabaseServer
    before(async () => {
      server = await startService(name)
    })
    after(() => server[Symbol.asyncDispose]())
    /** Pages over a new database, and another program on it that does what it does while `reading` runs. */
    const beside = async () => {
      const url = await server.createDatabase()
      const client = await sqlClient(url)
      const dir = await tempDir()
      const index = await openIndex(dir.path, {'pypi.db': 'sql', 'db.url': url})
      const during = async <T>(reading: () => Promise<T>, first: string, then: string): Promise<T> => {
        await client.run(first)
        const read = await reading()
        await client.run(then)
        return read
      }
      return {
        ...index,
        pages: new IndexPages(index),
        client,
        during,
        [Symbol.asyncDispose]: async () => {
          await client[Symbol.asyncDispose]()
          await index[Symbol.asyncDispose]()
          await dir[Symbol.asyncDispose]()
        },
      }
    }
    const insert = `INSERT INTO packages VALUES ('brief-1.0.tar.gz', 'brief', '1.0', '2026-11-20 23:12:23', NULL, '{"size": 5}')`
    const remove = `DELETE FROM packages WHERE name = 'brief'`
    const textOf = (page: Page | undefined) => page?.body.toString() ?? 'no such page'

    it('a page of a project that was made in between is not believed', async () => {
      await using here = await beside()
      const {cache, pages, during} = here
      const listFiles = cache.listFiles.bind(cache)
      cache.listFiles = project => during(() => listFiles(project), insert, remove)
      assert.match(textOf(await pages.project('brief', json, place)), /brief-1\.0\.tar\.gz/)
      cache.listFiles = listFiles
      await sleep(fresh)
      assert.equal(textOf(await pages.project('brief', json, place)), 'no such page')
    })
    it('nor is one that was made while a table was being filled anew', async () => {
      await using here = await beside()
      const {cache, pages, during, client} = here
      await client.run(insert)
      const listFiles = cache.listFiles.bind(cache)
      cache.listFiles = project => during(() => listFiles(project), remove, insert)
      assert.equal(textOf(await pages.project('brief', json, place)), 'no such page')
      cache.listFiles = listFiles
      await sleep(fresh)
      assert.match(textOf(await pages.project('brief', json, place)), /brief-1\.0\.tar\.gz/)
    })
    it('nor is a list of the projects', async () => {
      await using here = await beside()
      const {cache, pages, during} = here
      const names = () => during(() => cache.listProjects(), insert, remove)
      assert.match(textOf(await pages.list('admin', json, '', names)), /brief/)
      await sleep(fresh)
      assert.doesNotMatch(textOf(await pages.list('admin', json, '', () => cache.listProjects())), /brief/)
    })
  })
}

describe('what pypicloud adds and deletes within a second, on DynamoDB', needs('ministack'), () => {
  let service: Service
  before(async () => {
    service = await startService('ministack')
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
  })

  for (const scope of ['brief', undefined]) {
    it(`what was listed of ${scope ?? 'all projects'} in between is not believed`, async () => {
      const namespace = `${scope ?? 'all'}-`
      await using cache = await openDynamo(service.url, {namespace})
      const {accessKeyId = '', secretAccessKey = ''} = settingsFor(service.url)
      const client = new DynamoDBClient({
        endpoint: service.url,
        region: 'us-east-1',
        credentials: {accessKeyId, secretAccessKey},
      })
      try {
        const items = [
          {
            TableName: `${namespace}DynamoPackage`,
            Key: {filename: {S: 'brief-1.0.tar.gz'}},
            more: {name: {S: 'brief'}, version: {S: '1.0'}, last_modified: {N: '1795216343.5'}},
          },
          {
            TableName: `${namespace}PackageSummary`,
            Key: {name: {S: 'brief'}},
            more: {last_modified: {N: '1795216343.5'}},
          },
        ]
        // a token that is new changes some times by itself
        let token = await cache.changeToken(scope)
        for (let before = ''; token !== before;) {
          before = token
          await sleep(fresh)
          token = await cache.changeToken(scope)
        }
        for (const {TableName, Key, more} of items) {
          await client.send(new PutItemCommand({TableName, Item: {...Key, ...more}}))
        }
        const listed = scope === undefined ? await cache.listProjects() : await cache.listFiles(scope)
        assert.equal(listed.length, 1)
        for (const {TableName, Key} of items) await client.send(new DeleteItemCommand({TableName, Key}))
        await sleep(fresh)
        assert.notEqual(await cache.changeToken(scope), token)
      } finally {
        client.destroy()
      }
    })
  }
})
