import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import fc from 'fast-check'
import {InvalidInput} from '../../src/lib/errors.js'
import {
  checkFilename,
  packageType,
  parseFilename,
  parseWheelFilename,
} from '../../src/lib/packaging/filenames.js'
import {isProjectName, normalizeName} from '../../src/lib/packaging/names.js'

/** What the original made of them when it was run; undefined: an error. */
const observed: [filename: string, name: string | undefined, version?: string, hint?: string][] = [
  ['foo-1.0.tar.gz', 'foo', '1.0'],
  ['foo_bar-1.0.tar.gz', 'foo-bar', '1.0'],
  ['foo-bar-1.0.tar.gz', 'foo-bar', '1.0'],
  ['Foo.Bar-1.0rc1.tar.bz2', 'foo-bar', '1.0rc1'],
  ['foo-bar-1.0-py2.7.egg', 'foo-bar', '1.0'],
  ['foo-1.0-py3.8.tar.gz', 'foo', '1.0'],
  ['foo-bar-2-1.0.zip', 'foo-bar', '2-1.0'],
  ['foo-bar-2-1.0.zip', 'foo-bar-2', '1.0', 'foo-bar-2'],
  ['foo-3d-1.0.tar.gz', 'foo', '3d-1.0'],
  ['foo-3d-1.0.tar.gz', 'foo-3d', '1.0', 'foo-3d'],
  ['foo-1.0-1.tar.gz', 'foo', '1.0-1'],
  ['foo-1.0+local.1.tar.gz', 'foo', '1.0+local.1'],
  ['foo-1.0-linux-x86_64.tar.gz', 'foo', '1.0-linux-x86_64'],
  ['foo-bar.tar.gz', 'foo', 'bar'],
  ['zope.interface-5.0.0.tar.gz', 'zope-interface', '5.0.0'],
  ['ruamel.yaml.clib-0.2.tar.gz', 'ruamel-yaml-clib', '0.2'],
  ['foo-bar-1.0.tar.gz', 'foo', 'bar-1.0', 'foo'],
  ['foo_bar-1.0.tar.gz', 'foo-bar', '1.0', 'foo-bar'],
  ['foo_bar-1.0-1-py3-none-any.whl', 'foo-bar', '1.0'],
  ['foo-1.0_local-py2.py3-none-any.whl', 'foo', '1.0_local'],
  ['foo-1.0+loc.1-cp39-cp39-manylinux_2_17_x86_64.manylinux2014_x86_64.whl', 'foo', '1.0+loc.1'],
  ['foo-1.0.whl', 'foo', '1.0.whl'],
  ['foo-v1.0-py3-none-any.whl', undefined],
  ['foo-bar-1.0-py3-none-any.whl', undefined],
  ['foo-1.0-none-any.whl', undefined],
  ['foo-1!2.0.tar.gz', 'foo', '1'],
  ['foo-1.0.win-amd64.zip', 'foo', '1.0.win-amd64'],
  ['foo-1.0.win32-py2.7.exe', 'foo', '1.0.win32'],
  ['foo.tar.gz', undefined],
  ['foo-.tar.gz', undefined],
  ['my pkg-1.0.tar.gz', 'my-pkg', '1.0'],
  ['my%20pkg-1.0.tar.gz', 'my-pkg', '1.0'],
  ['foo-1.0.tar.xz', undefined],
  ['foo-1.0.tar.Z', undefined],
  ['foo-1.0.rpm', undefined],
  ['foo-1.0-py3-none-any.WHL', undefined],
  // The fixtures' own.
  ['Foo.Bar_baz-1.1-py3-none-any.whl', 'foo-bar-baz', '1.1'],
  ['private_tool-1!1.0+local.7-py3-none-any.whl', 'private-tool', '1!1.0+local.7'],
]

describe('parseFilename', () => {
  for (const [filename, name, version, hint] of observed)
    it(`reads ${filename}${hint === undefined ? '' : ` of ${hint}`} as the original does`, () => {
      if (name === undefined) assert.throws(() => parseFilename(filename, hint), InvalidInput)
      else assert.deepEqual(parseFilename(filename, hint), {name, version})
    })

  it('reads back what tools write', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}(?:_[a-z][a-z0-9]{0,3}){0,2}$/)
    const version = fc.stringMatching(/^\d{1,3}(?:\.\d{1,3}){0,2}(?:rc\d)?(?:\+[a-z]\d)?$/)
    fc.assert(
      fc.property(name, version, (name, version) => {
        for (const filename of [`${name}-${version}.tar.gz`, `${name}-${version}-py3-none-any.whl`])
          assert.deepEqual(parseFilename(filename), {name: normalizeName(name), version})
      }),
    )
  })

  it('gives a release or an InvalidInput for any text, at once', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('.tar.gz', '.whl', '.egg', ''),
        fc.option(fc.string()),
        (stem, ending, hint) => {
          try {
            parseFilename(stem + ending, hint ?? undefined)
          } catch (error) {
            assert.ok(error instanceof InvalidInput)
          }
        },
      ),
    )
    for (const long of ['a-'.repeat(100_000), 'a.'.repeat(100_000), `a-1-${'1'.repeat(200_000)}-x-y`])
      for (const ending of ['.tar.gz', '.whl'])
        try {
          parseFilename(long + ending)
        } catch (error) {
          assert.ok(error instanceof InvalidInput)
        }
  })
})

describe('parseWheelFilename', () => {
  it('reads the parts', () => {
    assert.deepEqual(
      parseWheelFilename('foo_bar-1!1.0+l.1-2a-py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl'),
      {
        name: 'foo_bar',
        version: '1!1.0+l.1',
        build: '2a',
        pythonTags: ['py2', 'py3'],
        abiTags: ['none'],
        platformTags: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'],
      },
    )
  })

  it('refuses what installers refuse', () => {
    for (const filename of [
      'foo-1.0.whl',
      'foo-1.0-none-any.whl',
      'foo-1.0-b1-py3-none-any.whl',
      'foo-1.0-py3-none-any.zip',
      'f é-1-py3-none-any.whl',
    ])
      assert.throws(() => parseWheelFilename(filename), InvalidInput, filename)
  })
})

describe('packageType', () => {
  it('is what the original shows', () => {
    assert.deepEqual(['a-1.tar.gz', 'a-1-py3-none-any.whl', 'a-1.egg', 'a-1.zip'].map(packageType), [
      'sdist',
      'bdist_wheel',
      'bdist_egg',
      '',
    ])
  })
})

describe('checkFilename', () => {
  it('takes what releases are called', () => {
    for (const filename of [
      'foo-1.0+local.tar.gz',
      'a-1!1.0-py3-none-any.whl',
      'Bibliothèque-1.0.zip',
      'my pkg-1.0.tar.gz',
      '日本-1.zip',
      'my%20pkg-1.tar.gz',
    ])
      checkFilename(filename)
  })

  it('refuses what is dangerous in a path, a key, a header or a link', () => {
    const bad = [
      ...[
        '',
        '.',
        '..',
        '.hidden-1.0.tar.gz',
        '../a-1.tar.gz',
        'a/b-1.tar.gz',
        'a\\b-1.tar.gz',
        '/etc/a-1.tar.gz',
      ],
      ...[
        'C:a-1.tar.gz',
        'a-1.tar.gz:stream',
        'a..b-1.tar.gz',
        'a-1.tar.gz\u0000.png',
        'a-1\r\nX: y.tar.gz',
        'a-1.tar.gz\u007f',
      ],
      ...[
        '%2e%2e%2fa-1.tar.gz',
        'a%00-1.tar.gz',
        'a%5Cb-1.zip',
        'a%0a-1.zip',
        'a-\u202egz.rat',
        'a\u200b-1.zip',
        '\ud800-1.zip',
      ],
      ...[
        `${'a'.repeat(300)}-1.zip`,
        `${'é'.repeat(130)}-1.zip`,
        'a-1.zip.',
        'a-1.zip ',
        ' a-1.zip',
        'a?-1.zip',
        'a\u2028-1.zip',
      ],
    ]
    for (const filename of bad)
      assert.throws(
        () => checkFilename(filename),
        (error: unknown) => error instanceof InvalidInput && !/[\p{Cc}\p{Cf}\p{Zl}]/u.test(error.message),
        JSON.stringify(filename),
      )
  })
})

describe('names', () => {
  it('are normalised as PEP 503 says', () => {
    for (const name of ['Foo.Bar_baz', 'foo-bar-baz', 'FOO__BAR..-baz'])
      assert.equal(normalizeName(name), 'foo-bar-baz')
  })

  it('are ASCII letters and digits with separators in between', () => {
    for (const good of ['a', 'A1', 'foo.bar', 'foo-_-bar', '2to3']) assert.ok(isProjectName(good), good)
    for (const bad of ['', '.', '-a', 'a-', 'a b', 'é', '\u017f', 'a/b', 'a\n', 'a\u0000', '..'])
      assert.equal(isProjectName(bad), false, bad)
  })
})
