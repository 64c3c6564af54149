import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {ConfigError} from '../../src/lib/config/config.js'
import {cloudFrontLinks, openCloudFrontStore} from '../../src/lib/storage/s3/cloudfront.js'
import {fixtures} from '../support/paths.js'
import {s3Config} from './s3-services.js'

interface Case {
  readonly case: string
  readonly settings: Readonly<Record<string, string>>
  readonly made_at: number
  readonly urls?: Readonly<Record<string, string>>
}

const folder = join(fixtures, 's3')
const cases = JSON.parse(await readFile(join(folder, 'urls-cloudfront.json'), 'utf8')) as Case[]
const pem = await readFile(join(folder, 'TEST-ONLY-cloudfront-private-key.pem'), 'utf8')

/** The key is named by its file in the fixtures. */
const settingsOf = ({settings}: Case) => ({
  ...settings,
  'pypi.storage': 'cloudfront',
  ...(settings['storage.cloud_front_key_file'] && {
    'storage.cloud_front_key_file': join(folder, settings['storage.cloud_front_key_file']),
  }),
  ...(settings['storage.cloud_front_key_string'] && {'storage.cloud_front_key_string': pem.trim()}),
})

describe('links to CloudFront', () => {
  for (const recorded of cases) {
    it(`are those of pypicloud, byte for byte: ${recorded.case}`, async () => {
      const config = await s3Config(undefined, settingsOf(recorded))
      const links = cloudFrontLinks(config, () => recorded.made_at * 1000)
      const seconds = Number(recorded.settings['storage.expire_after'] ?? 86_400)
      for (const [filename, url] of Object.entries(recorded.urls ?? {})) {
        const key = decodeURIComponent(new URL(url).pathname.slice(1))
        assert.ok(key.endsWith(filename))
        assert.equal((await links.urlOf(key, seconds)).href, url)
      }
    })
  }

  it('need no key where nothing is signed', async () => {
    const config = await s3Config(undefined, {
      'pypi.storage': 'cloudfront',
      'storage.cloud_front_domain': 'https://d1.cloudfront.net/',
    })
    const url = await cloudFrontLinks(config).urlOf('a b/c+d-1.0.zip', 60)
    assert.equal(url.href, 'https://d1.cloudfront.net/a%20b/c%2Bd-1.0.zip')
  })

  for (const [key, value] of [
    ['storage.cloud_front_key_string', 'no key at all'],
    ['storage.cloud_front_key_file', '/nowhere/key.pem'],
  ] as const) {
    it(`with a bad ${key} are a mistake on that line of the config`, async () => {
      const config = await s3Config(undefined, {
        'pypi.storage': 'cloudfront',
        'storage.cloud_front_domain': 'https://d1.cloudfront.net',
        'storage.cloud_front_key_id': 'APKAEXAMPLE',
        [key]: value,
      })
      await assert.rejects(
        async () => openCloudFrontStore(config),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError)
          assert.match(error.message, new RegExp(`server\\.ini:\\d+: ${key.replaceAll('.', '\\.')}: `))
          return !error.message.includes('no key at all')
        },
      )
    })
  }
})
