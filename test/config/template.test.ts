import assert from 'node:assert/strict'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {readConfig} from '../../src/lib/config/config.js'
import {parseIni} from '../../src/lib/config/ini.js'
import {configReference} from '../../src/lib/config/reference.js'
import {allTables} from '../../src/lib/config/schema/index.js'
import {renderConfig, type ConfigAnswers, type StorageAnswers} from '../../src/lib/config/template.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

/** Section → key → value as pypicloud's parser sees it, without what is random. */
function settingsOf(text: string) {
  const {sections} = parseIni(text, '/x.ini', [])
  return [...sections].map(([name, {entries}]) => [
    name,
    [...entries].map(([key, {value}]) => [
      key,
      /^(?:user\.|session\..*_key$)/.test(key) ? '…' : value.split(/\s+/).filter(Boolean).join(' '),
    ]),
  ])
}

/** What somebody would have answered to get this file. */
function answersOf(text: string): ConfigAnswers {
  const {sections} = parseIni(text, '/x.ini', [])
  const get = (key: string) => sections.get('app:main')?.entries.get(key)?.value ?? ''
  const region = get('storage.region_name')
  const storages: Record<string, () => StorageAnswers> = {
    file: () => ({storage: 'file'}),
    s3: () => ({
      storage: 's3',
      accessKeyId: get('storage.aws_access_key_id'),
      secretAccessKey: get('storage.aws_secret_access_key'),
      bucket: get('storage.bucket'),
      ...(region && {region}),
    }),
    gcs: () => ({storage: 'gcs', bucket: get('storage.bucket')}),
    'azure-blob': () => ({
      storage: 'azure-blob',
      accountName: get('storage.storage_account_name'),
      accountKey: get('storage.storage_account_key'),
      container: get('storage.storage_container_name'),
    }),
  }
  const kind = sections.get('uwsgi')?.entries.has('uid')
    ? 'docker'
    : sections.has('uwsgi')
      ? 'prod'
      : get('pyramid.reload_templates') === 'True'
        ? 'dev'
        : 'test'
  return {
    kind,
    storage: storages[get('pypi.storage')]!(),
    admin: get('auth.admins').trim(),
    passwordHash: '$6$x$y',
  }
}

const folder = join(fixtures, 'config')
const texts = new Map<string, string>()
for (const name of await readdir(folder)) {
  const text = name.endsWith('.ini') ? await readFile(join(folder, name), 'utf8') : ''
  if (text.startsWith('[app:main]')) texts.set(name, text) // others were there before, and kept
}

describe('the config that is written', () => {
  for (const [name, text] of texts) {
    it(`says what pypicloud's ${name} says`, async () => {
      const ours = renderConfig(answersOf(text))
      assert.deepEqual(settingsOf(ours), settingsOf(text))
      await using dir = await tempDir()
      await writeFile(dir.join('server.ini'), ours)
      const config = await readConfig(dir.join('server.ini'), {environment: {}})
      const theirs = await readConfig(join(folder, name), {environment: {}})
      assert.deepEqual(config.server, theirs.server)
      assert.deepEqual([...config.settings.keys()], [...theirs.settings.keys()])
    })
  }

  const dev: ConfigAnswers = {kind: 'dev', storage: {storage: 'file'}, admin: 'ada', passwordHash: '$6$x$y'}
  it('reads back answers with percent signs', async () => {
    await using dir = await tempDir()
    const storage = {storage: 's3', accessKeyId: 'a%b', secretAccessKey: '%(here)s', bucket: 'b'} as const
    await writeFile(dir.join('server.ini'), renderConfig({...dev, storage, admin: '50%'}))
    const config = await readConfig(dir.join('server.ini'), {environment: {}})
    assert.equal(config.settings.get('storage.aws_secret_access_key')?.value, '%(here)s')
    assert.equal(config.settings.get('auth.admins')?.value.trim(), '50%')
    assert.equal(config.settings.get('user.50%')?.value, '$6$x$y')
  })

  it('refuses answers that would write further lines', () => {
    for (const bad of [
      {...dev, admin: 'a\npypi.default_write = everyone'},
      {...dev, admin: 'a = b'},
      {...dev, passwordHash: 'x\n[server:main]'},
      {...dev, storage: {storage: 'gcs', bucket: 'a\nb'}},
      {...dev, storage: {storage: 'gcs', bucket: 'a..b'}},
      {...dev, storage: {storage: 'azure-blob', accountName: 'a.b', accountKey: 'k', container: 'c'}},
    ] as ConfigAnswers[]) {
      assert.throws(() => renderConfig(bad), {code: 'PPC_INVALID_INPUT'})
    }
  })

  it('has fresh session keys each time', () => {
    assert.notEqual(renderConfig(dev), renderConfig(dev))
  })
})

describe('the configuration reference', () => {
  it('names every key that is read', () => {
    const reference = configReference()
    for (const field of allTables.flatMap(table => Object.values(table))) {
      assert.ok(reference.includes(`\`${field.key}\``), field.key)
    }
  })
})
