import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {ConfigError, formatProblem, readConfig} from '../../src/lib/config/config.js'
import {deleteGroups, fallbackMode, overwriteGroups, upstreamOf} from '../../src/lib/config/derived.js'
import {optionalText} from '../../src/lib/config/fields.js'
import {passwordFields, sqlAccessFields} from '../../src/lib/config/schema/access.js'
import {sqlCacheFields} from '../../src/lib/config/schema/cache.js'
import {sessionFields} from '../../src/lib/config/schema/session.js'
import {fileStorageFields, s3StorageFields} from '../../src/lib/config/schema/storage.js'
import {configWith, tempDir} from '../support/temp.js'

const base = {'storage.dir': '%(here)s/packages', 'db.url': 'sqlite:///%(here)s/db.sqlite'}

/** Writes files into a fresh directory and reads `server.ini` there. */
async function reading(
  files: Record<string, string | Buffer>,
  environment: Record<string, string> = {},
  target = 'server.ini',
) {
  await using dir = await tempDir()
  for (const [name, content] of Object.entries(files)) await writeFile(dir.join(name), content)
  return await readConfig(dir.join(target), {environment})
}
const app = (lines: string) =>
  `[app:main]\nuse = egg:pypicloud\nstorage.dir = /p\ndb.url = sqlite://\n${lines}\n`

async function problemsOf(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ConfigError, String(error))
  assert.equal(error.exitCode, 2)
  return error.problems.map(problem => formatProblem({...problem, file: problem.file.replace(/^.*\//, '')}))
}
const warningsOf = (config: {warnings: readonly Parameters<typeof formatProblem>[0][]}) =>
  config.warnings.map(({key, message}) => `${key ?? ''}: ${message}`)

describe('a config file', () => {
  it('gives typed settings with defaults', async () => {
    await using dir = await tempDir()
    const config = await configWith(dir.path, {...base, 'pypi.default_read': '\neveryone\n authenticated'})
    assert.deepEqual(config.core.defaultRead, ['everyone', 'authenticated'])
    assert.equal(config.core.packageMaxAge, 0)
    assert.equal(config.read(fileStorageFields).dir, dir.join('packages'))
    assert.equal(config.read(sqlCacheFields).url, `sqlite:///${dir.path}/db.sqlite`)
    assert.equal(config.settings.get('storage.dir')?.line, 3)
    assert.deepEqual(config.warnings, [])
  })

  it('lists every problem at once, with file, line, what was found and what is accepted', async () => {
    const text =
      '[app:main]\nuse = egg:pypicloud\npypi.storage = s3\nstorage.expire_after = 1d\npypi.fallback = mirrors\n' +
      'auth.rounds = many\ndb.url =\n'
    assert.deepEqual(await problemsOf(reading({'server.ini': text})), [
      'server.ini:4: storage.expire_after: found "1d", expected whole seconds',
      'server.ini:5: pypi.fallback: found "mirrors", expected one of redirect, cache, none, mirror',
      'server.ini:6: auth.rounds: found "many", expected a whole number from 1',
      'server.ini:7: db.url: empty, expected text',
      'server.ini: storage.bucket: missing: write "storage.bucket = …" or set PPC_STORAGE_BUCKET',
    ])
  })

  it('takes no prefix under which no client would find a file', async () => {
    for (const prefix of ['./p/', 'a/../b/', '../', 'a/./']) {
      const [problem] = await problemsOf(
        reading({'server.ini': app(`pypi.storage = s3\nstorage.bucket = b\nstorage.prefix = ${prefix}`)}),
      )
      assert.match(
        problem!,
        /storage\.prefix: found .*, expected text without "\." or "\.\." between slashes$/,
      )
    }
    const prefix = '.a/..b/c./d..'
    const config = await reading({
      'server.ini': app(`pypi.storage = s3\nstorage.bucket = b\nstorage.prefix = ${prefix}`),
    })
    assert.equal(config.read(s3StorageFields).prefix, prefix)
  })

  it('says which sections there are when [app:main] is missing', async () => {
    const [problem] = await problemsOf(reading({'server.ini': '[app:prod]\nx = 1\n[server:main]\n'}))
    assert.match(problem!, /there is no \[app:main\] section; it has \[app:prod\] \[server:main\]/)
  })

  it('never shows a secret in problems or warnings', async () => {
    const text = app(
      'user.bob = hunter2\nauth.signing_key = hunter2%\nsecret = hunter2\nuser.eve = 50%hunter2',
    )
    assert.ok(!(await problemsOf(reading({'server.ini': text}))).join().includes('hunter2'))
    const config = await reading({'server.ini': app('user.bob = hunter2\nsecret = hunter2')})
    assert.equal(config.warnings.length, 2)
    assert.ok(!JSON.stringify(config.warnings).includes('hunter2'))
  })

  it('refuses what is missing, a directory, or not UTF-8; takes a byte order mark', async () => {
    await using dir = await tempDir()
    await mkdir(dir.join('d'))
    assert.match((await problemsOf(readConfig(dir.join('none.ini')))).join(), /there is no such file/)
    assert.match((await problemsOf(readConfig(dir.join('d')))).join(), /is a directory/)
    const latin = Buffer.from(app('# ok\npypi.realm = caf\xe9'), 'latin1')
    assert.match((await problemsOf(reading({'server.ini': latin}))).join(), /server\.ini:6: is not UTF-8/)
    assert.equal((await reading({'server.ini': `\uFEFF${app('pypi.realm = é')}`})).core.realm, 'é')
  })

  it('refuses rules between keys that are broken', async () => {
    const ldap = 'pypi.auth = ldap\nauth.ldap.url = ldap://h\n'
    for (const [lines, expected] of [
      [ldap, /auth\.ldap\.user_dn_format: missing/],
      [`${ldap}auth.ldap.user_dn_format = x\nauth.ldap.base_dn = y`, /excludes/],
      ['pypi.db = dynamo', /db\.region_name: missing/],
      ['pypi.use_json_scraper = true\npypi.fallback_url = http://u/simple', /needs pypi\.fallback_base_url/],
    ] as const) {
      assert.match((await problemsOf(reading({'server.ini': app(lines)}))).join(), expected)
    }
  })

  it('accepts pypicloud class paths, and a module of your own with keys of its own', async () => {
    const dotted = app('pypi.storage = pypicloud.storage.S3Storage\nstorage.bucket = b')
    assert.equal((await reading({'server.ini': dotted})).read(s3StorageFields).bucket, 'b')
    const own = {
      'server.ini':
        '[app:main]\nuse = egg:pypicloud\npypi.storage = ./mine.js\nstorage.colour = red\ndb.url = sqlite://',
    }
    const config = await reading(own, {PPC_STORAGE_SHADE: 'dark'})
    assert.deepEqual(config.warnings, [])
    const fields = {
      colour: optionalText('storage.colour', {help: ''}),
      shade: optionalText('storage.shade', {help: ''}),
    }
    assert.deepEqual(config.read(fields), {colour: 'red', shade: 'dark'})
  })
})

describe('warnings', () => {
  it('suggest the key that was meant', async () => {
    const config = await reading({
      'server.ini': app(
        'pypi.falback = none\nexpire_after = 3\nstorage.access_key = x\nusr.bob = y\nsession.encrypt_kye = z\n' +
          'session.lock_dir = /tmp\npyramid.includes = pyramid_debugtoolbar\nstorage.bucket = other-backend\nzzz = 1',
      ),
    })
    assert.deepEqual(warningsOf(config), [
      'pypi.falback: unknown key; did you mean pypi.fallback?',
      'expire_after: unknown key; did you mean storage.expire_after?',
      'storage.access_key: not read by any pypicloud since 1.0: write storage.aws_access_key_id',
      'usr.bob: unknown key; did you mean user.bob?',
      'session.encrypt_kye: unknown key; did you mean session.encrypt_key?',
      'zzz: unknown key',
    ])
  })

  it('point at deprecated keys, odd booleans, rights that are not read and variables without a key', async () => {
    const config = await reading(
      {
        'server.ini': app(
          'pypi.allow_overwrite = false\npypi.stream_files = ture\npackage.a.b.user.c = rw\npypi.default_read = a,b',
        ),
      },
      {PPC_STORAGE_DIRR: 'x', PPC_USER_BOB: 'x', PPC_TEST_REQUIRE: 'all'},
    )
    assert.deepEqual(
      config.warnings.map(({file, key}) => key ?? file),
      [
        'pypi.allow_overwrite',
        'pypi.stream_files',
        'package.a.b.user.c',
        'pypi.default_read',
        'PPC_STORAGE_DIRR',
        'PPC_USER_BOB',
      ],
    )
    assert.equal(config.core.streamFiles, false)
  })
})

describe('the environment', () => {
  it('wins over the file, and imports whole prefixes for sessions and SQL', async () => {
    const config = await reading(
      {'server.ini': app('pypi.auth = sql\npypi.fallback = cache')},
      {
        PPC_PYPI_FALLBACK: 'none',
        PPC_AUTH_DB_URL: 'sqlite:////a.db',
        PPC_SESSION_COOKIE_EXPIRES: 'true',
        PPC_DB_POOL_SIZE: '7',
        PPC_AUTH_SCHEME: 'bcrypt',
      },
    )
    assert.equal(config.core.fallback, 'none')
    assert.equal(config.read(sqlAccessFields).url, 'sqlite:////a.db')
    assert.equal(config.read(sessionFields).cookieExpires, 'true')
    assert.equal(config.read(sqlCacheFields).poolSize, 7)
    assert.equal(config.read(passwordFields).scheme, 'bcrypt')
    assert.deepEqual(config.warnings, [])
  })

  it('is named in the error when its value is wrong', async () => {
    assert.deepEqual(await problemsOf(reading({'server.ini': app('')}, {PPC_AUTH_TOKEN_EXPIRE: 'soon'})), [
      'PPC_AUTH_TOKEN_EXPIRE: auth.token_expire: found "soon", expected whole seconds',
    ])
  })

  it('gives the keys of Azure by their usual names', async () => {
    await reading(
      {'server.ini': app('pypi.storage = azure-blob\nstorage.storage_container_name = c')},
      {AZURE_STORAGE_ACCOUNT: 'a', AZURE_STORAGE_KEY: 'k'},
    )
  })
})

describe('sections', () => {
  it('inherit from the same file and from others, local keys winning', async () => {
    const config = await reading({
      'server.ini':
        '[DEFAULT]\nroot = /srv\n[app:main]\nuse = common\npypi.realm = mine\n[app:common]\nuse = config:sub.ini#x\ndb.url = sqlite://\n',
      'sub.ini': '[app:x]\nuse = egg:pypicloud\npypi.realm = theirs\nstorage.dir = %(root)s/p\n',
    })
    assert.equal(config.core.realm, 'mine')
    assert.equal(config.read(fileStorageFields).dir, '/srv/p')
    assert.match(config.settings.get('storage.dir')!.source, /sub\.ini$/)
  })

  it('can be chosen by name, with the server section of that name', async () => {
    const text = `${app('')}[app:b]\nuse = main\npypi.realm = b\n[server:b]\nuse = egg:waitress#main\nport = 81\n`
    const config = await reading({'server.ini': text}, {}, 'server.ini#b')
    assert.equal(config.core.realm, 'b')
    assert.equal(config.server.port, 81)
  })

  it('that lead in a circle are refused', async () => {
    const text = '[app:main]\nuse = a\n[app:a]\nuse = config:server.ini\n'
    assert.match((await problemsOf(reading({'server.ini': text}))).join(), /in a circle/)
  })

  it('take [DEFAULT] keys by get only', async () => {
    const config = await reading({
      'server.ini': `[DEFAULT]\nname = world\npypi.fallback = none\n${app('set name = %(name)s!\nget pypi.realm = name\npypi.fallback = cache')}`,
    })
    assert.equal(config.core.realm, 'world!')
    assert.equal(config.core.fallback, 'redirect')
    assert.match(warningsOf(config).join(), /pypi\.fallback: not read, because \[DEFAULT\] has it too/)
  })

  it('of another application are refused', async () => {
    const text = '[app:main]\nuse = egg:other\nstorage.dir = x\ndb.url = x\n'
    assert.match(
      (await problemsOf(reading({'server.ini': text}))).join(),
      /use: found "egg:other", expected egg:pypicloud/,
    )
    await reading({
      'server.ini': '[app]\npaste.app_factory = pypicloud:main\nstorage.dir = x\ndb.url = sqlite://\n',
    })
  })

  it('with a percent sign in the directory name still have %(here)s', async () => {
    await using dir = await tempDir()
    await mkdir(dir.join('50%'))
    const config = await configWith(dir.join('50%'), base)
    assert.equal(config.read(fileStorageFields).dir, dir.join('50%', 'packages'))
  })
})

describe('what several keys say together', () => {
  const coreOf = async (lines: string) => (await reading({'server.ini': app(lines)})).core
  it('who may overwrite and delete', async () => {
    assert.deepEqual(overwriteGroups(await coreOf('')), [])
    assert.deepEqual(overwriteGroups(await coreOf('pypi.allow_overwrite = false')), [])
    assert.deepEqual(overwriteGroups(await coreOf('pypi.allow_overwrite = true')), ['authenticated'])
    assert.deepEqual(
      overwriteGroups(await coreOf('pypi.allow_overwrite = true\npypi.allow_overwrite_groups = a b')),
      ['a', 'b'],
    )
    assert.deepEqual(deleteGroups(await coreOf('')), ['authenticated'])
    assert.deepEqual(deleteGroups(await coreOf('pypi.allow_delete = no')), [])
    assert.deepEqual(deleteGroups(await coreOf('pypi.allow_delete_groups =')), [])
  })
  it('what happens to unknown names', async () => {
    assert.deepEqual(fallbackMode(await coreOf('pypi.fallback = mirror')), {
      mode: 'cache',
      alwaysShowUpstream: true,
    })
    assert.equal(upstreamOf(await coreOf('')).useJson, true)
    assert.deepEqual(upstreamOf(await coreOf('pypi.fallback_base_url = http://u/')), {
      baseUrl: 'http://u',
      simpleUrl: 'http://u/simple',
      useJson: false,
      credentials: undefined,
    })
    assert.deepEqual(upstreamOf(await coreOf('pypi.fallback_url = http://u/s/')), {
      baseUrl: undefined,
      simpleUrl: 'http://u/s',
      useJson: false,
      credentials: undefined,
    })
  })

  it('who this server is at the upstream, which no address shows', async () => {
    const coreOf = async (lines: string) => (await reading({'server.ini': app(lines)})).core
    assert.deepEqual(upstreamOf(await coreOf('pypi.fallback_base_url = https://me:p%%40ss:w@u/x/')), {
      baseUrl: 'https://u/x',
      simpleUrl: 'https://u/x/simple',
      useJson: false,
      credentials: {username: 'me', password: 'p@ss:w'},
    })
    const keys = 'pypi.upstream_username = you\npypi.upstream_password = secret'
    assert.deepEqual(upstreamOf(await coreOf(`pypi.fallback_url = https://me:x@u/s\n${keys}`)), {
      baseUrl: undefined,
      simpleUrl: 'https://u/s',
      useJson: false,
      credentials: {username: 'you', password: 'secret'},
    })
    const problems = await problemsOf(coreOf('pypi.fallback_base_url = ftp://me:secret@u'))
    assert.match(problems.join(), /fallback_base_url: expected an address that begins with http/)
    assert.doesNotMatch(problems.join(), /secret/)
  })
})
