import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readFile, stat, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {unpack} from '../lambda/function.js'
import {tempDir} from '../support/temp.js'
import {packageJson, tool} from './tool.js'

const s3 = {'pypi.storage': 's3', 'storage.bucket': 'packages', 'storage.region_name': 'eu-west-1'}
const dynamo = {'pypi.db': 'dynamo', 'db.region_name': 'eu-west-1'}

async function configs(path: (name: string) => string, all: Record<string, Record<string, string>>) {
  for (const [name, settings] of Object.entries(all)) {
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`)
    await writeFile(path(`${name}.ini`), `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
  }
}

describe('ppc-build-lambda-bundle', () => {
  it('writes one module and a manifest for each cache, below 5 MB', async () => {
    await using dir = await tempDir()
    const caches = {
      dynamo,
      redis: {'pypi.db': 'pypicloud.cache.RedisCache', 'db.url': 'redis://cache.example.com'},
      postgresql: {'pypi.db': 'sql', 'db.url': 'postgresql+psycopg2://u:p@db.example.com/pypi'},
      mysql: {'pypi.db': 'sql', 'db.url': 'mysql://u:p@db.example.com/pypi'},
    }
    for (const [kind, cache] of Object.entries(caches)) {
      await configs(dir.join, {[kind]: {...s3, ...cache}})
      const {code, stdout, stderr} = await tool(
        dir.path,
        `ppc-build-lambda-bundle ${kind}.ini -o ${kind}.zip`,
      )
      assert.equal(code, 0, stderr)
      assert.equal(stdout, '')
      assert.match(stderr, new RegExp(`^Wrote bundle file ${kind}\\.zip: `))
      assert.ok((await stat(dir.join(`${kind}.zip`))).size < 5_000_000)
      assert.deepEqual(await unpack(dir.join(`${kind}.zip`), dir.path), [
        'lambda_script.mjs',
        'manifest.json',
      ])
      const manifest = JSON.parse(await readFile(dir.join('manifest.json'), 'utf8')) as Record<
        string,
        unknown
      >
      assert.equal(manifest['cache'], kind)
      assert.equal(manifest['version'], packageJson.version)
      const code256 = createHash('sha256').update(await readFile(dir.join('lambda_script.mjs')))
      assert.equal(manifest['sha256'], code256.digest('hex'))
    }
  })
  it('gives the same bytes whatever else a config says, and nothing of its secrets', async () => {
    await using dir = await tempDir()
    const other = {'pypi.storage': 'cloudfront', 'storage.cloud_front_domain': 'https://d1.cloudfront.net'}
    await configs(dir.join, {
      one: {...s3, ...dynamo, 'db.aws_access_key_id': 'AKIDEXAMPLE', 'db.aws_secret_access_key': 'hush-hush'},
      two: {...s3, ...dynamo, ...other, 'storage.bucket': 'others', 'db.namespace': 'x-'},
    })
    assert.equal((await tool(dir.path, 'ppc-build-lambda-bundle one.ini')).code, 0)
    assert.equal((await tool(dir.path, 'ppc-build-lambda-bundle -o two.zip two.ini')).code, 0)
    const [one, two] = [await readFile(dir.join('output.zip')), await readFile(dir.join('two.zip'))]
    assert.ok(one.equals(two))
    assert.ok(!one.includes('hush-hush'))
  })
  it('refuses what no Lambda can feed, with the reason', async () => {
    await using dir = await tempDir()
    await configs(dir.join, {
      sqlite: {...s3, 'db.url': 'sqlite:///%(here)s/db.sqlite'},
      own: {...s3, 'pypi.db': './my-cache.js'},
      files: {'pypi.storage': 'file', 'storage.dir': '%(here)s/packages', ...dynamo},
      gcs: {'pypi.storage': 'gcs', 'storage.bucket': 'packages', ...dynamo},
    })
    const refusals = {
      sqlite: /sqlite\.ini: db\.url: a SQLite database is a file of one machine/,
      own: /own\.ini: pypi\.db: "\.\/my-cache\.js" is a module of your own/,
      files: /files\.ini: pypi\.storage: "file" has no events/,
      gcs: /gcs\.ini: pypi\.storage: "gcs" has no events that come to AWS Lambda[^]*ppc sync-serve/,
    }
    for (const [name, expected] of Object.entries(refusals)) {
      const {code, stderr} = await tool(dir.path, `ppc-build-lambda-bundle ${name}.ini`)
      assert.equal(code, 2)
      assert.match(stderr, expected)
    }
    await assert.rejects(stat(dir.join('output.zip')))
  })
})
