import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {InvalidInput} from '../../src/lib/errors.js'
import {checkRelease, type ReleaseClaims} from '../../src/lib/packaging/checks.js'

const accepted: [
  filename: string,
  name: string | undefined,
  version: string | undefined,
  expected: string,
][] = [
  ['foo_bar-1.0.tar.gz', 'foo-bar', '1.0', 'foo-bar 1.0'],
  ['foo-bar-1.0.tar.gz', 'Foo.Bar', '1.0.0', 'foo-bar 1.0.0'],
  ['foo-bar-2-1.0.zip', 'foo-bar-2', '1.0', 'foo-bar-2 1.0'],
  ['foo-1.0.zip', undefined, undefined, 'foo 1.0'],
  ['foo-1.0.zip', '', ' ', 'foo 1.0'],
  ['foo-1!2.0.tar.gz', 'foo', '1!2.0', 'foo 1!2.0'],
  ['foo-1.0+local.1.tar.gz', 'foo', '1.0+local.1', 'foo 1.0+local.1'],
  ['foo-1.0_local.1.tar.gz', 'foo', '1.0+local.1', 'foo 1.0+local.1'],
  ['foo-1.0-local.1.tar.gz', 'foo', '1.0+local-1', 'foo 1.0+local-1'],
  ['foo-2004d.tar.gz', 'foo', '2004d', 'foo 2004d'],
  ['foo-1.0-1.tar.gz', 'foo', '1.0.post1', 'foo 1.0.post1'],
  ['foo-1.0-py3.8.tar.gz', 'foo', '1.0', 'foo 1.0'],
  ['foo-1.0-py2.7-linux-x86_64.egg', 'foo', '1.0', 'foo 1.0'],
  ['foo_bar-1.0_local-py2.7.egg', 'foo-bar', '1.0+local', 'foo-bar 1.0+local'],
  ['foo-1.0.linux-x86_64.tar.gz', 'foo', '1.0', 'foo 1.0'],
  ['foo-1.0.win32-py2.7.exe', 'foo', '1.0', 'foo 1.0'],
  ['foo-1.0.win-amd64.msi', 'foo', '1.0', 'foo 1.0'],
  ['foo-1.0-1.noarch.rpm', 'foo', '1.0', 'foo 1.0'],
  ['foo_bar-1.0-2-py3-none-any.whl', 'foo-bar', '1.0', 'foo-bar 1.0'],
  ['foo-1.0_local.1-py3-none-any.whl', 'foo', '1.0+local.1', 'foo 1.0+local.1'],
  ['foo-1!1.0-py3-none-any.whl', 'foo', '1!1.0', 'foo 1!1.0'],
  ['Foo.Bar_baz-1.1-py3-none-any.whl', 'Foo.Bar_baz', '1.1', 'foo-bar-baz 1.1'],
]

const refused: [what: string, claims: ReleaseClaims, ...mentioned: string[]][] = [
  [
    'another project',
    {filename: 'foo-1.0.tar.gz', name: 'bar', version: '1.0'},
    '"foo"',
    '"bar"',
    'file name',
    'form',
  ],
  [
    'another version',
    {filename: 'foo-1.0.tar.gz', name: 'foo', version: '1.1'},
    '"1.0"',
    '"1.1"',
    'file name',
    'form',
  ],
  ['another local version', {filename: 'foo-1.0+a.tar.gz', name: 'foo', version: '1.0'}, '"1.0+a"', '"1.0"'],
  [
    'post release for local',
    {filename: 'foo-1.0-1.tar.gz', name: 'foo', version: '1.0+1'},
    '"1.0-1"',
    '"1.0+1"',
  ],
  [
    'a build for a version',
    {filename: 'foo-1.0-1-py3-none-any.whl', name: 'foo', version: '1.0-1'},
    '"1.0"',
    '"1.0-1"',
  ],
  [
    'metadata of another project',
    {filename: 'foo-1.0.tar.gz', name: 'foo', version: '1.0', metadata: {name: 'evil', version: '1.0'}},
    '"foo"',
    '"evil"',
    'form',
    'archive',
  ],
  [
    'metadata of another version without a form',
    {filename: 'foo-1.0-py3-none-any.whl', metadata: {name: 'foo', version: '2.0'}},
    '"1.0"',
    '"2.0"',
    'file name',
    'archive',
  ],
  ['a foreign file', {filename: 'weird.rpm', name: 'foo', version: '1.0'}, 'weird.rpm'],
  ['another foreign file', {filename: 'weird-1.0.rpm', name: 'foo', version: '1.0'}, '"weird"', '"foo"'],
  ['a foreign file without a form', {filename: 'weird-1.0.rpm'}, 'weird-1.0.rpm'],
  [
    'a wheel of no form',
    {filename: 'foo-1.0.whl', name: 'foo', version: '1.0'},
    'foo-1.0.whl',
    'python-abi-platform',
  ],
  [
    'no version',
    {filename: 'foo-1.0.tar.gz', name: 'foo', version: 'not a version'},
    '"not a version"',
    'form',
  ],
  [
    'a version that leads elsewhere',
    {filename: 'foo-1.0.tar.gz', name: 'foo', version: '../../etc'},
    'version',
  ],
  [
    'a name that leads elsewhere',
    {filename: 'foo-1.0.tar.gz', name: '../foo', version: '1.0'},
    'project name',
  ],
  ['a look-alike name', {filename: 'foo-1.0.tar.gz', name: 'fo\u043e', version: '1.0'}, 'project name'],
  ['a path', {filename: '../foo-1.0.tar.gz', name: 'foo', version: '1.0'}, 'path separator'],
  [
    'Python versions that are none',
    {filename: 'foo-1.0.tar.gz', requiresPython: '"><script>'},
    '"\\"><script>"',
    'form',
  ],
  [
    'a name for Python versions',
    {filename: 'foo-1.0.tar.gz', requiresPython: 'python>=3'},
    'python>=3',
    'form',
  ],
  ['endless parentheses', {filename: 'foo-1.0.tar.gz', requiresPython: '('.repeat(60_000)}, 'form'],
  ['endless blanks', {filename: 'foo-1.0.tar.gz', requiresPython: `>=3${' '.repeat(60_000)}x`}, 'form'],
  [
    'Python versions in the archive that are none',
    {filename: 'foo-1.0.tar.gz', metadata: {name: 'foo', version: '1.0', requiresPython: 'three'}},
    '"three"',
    'archive',
  ],
  ['a prototype', {filename: '__proto__-1.0.tar.gz', name: '__proto__', version: '1.0'}, 'project name'],
]

describe('checkRelease', () => {
  for (const [filename, name, version, expected] of accepted)
    it(`takes ${filename} for ${expected}`, () => {
      const release = checkRelease({filename, name, version})
      assert.equal(`${release.name} ${release.version}`, expected)
      assert.deepEqual(checkRelease({filename, metadata: {name, version}}), release)
    })

  for (const requiresPython of [
    '>=3.9,<4',
    ' >= 2.7, !=3.0.*, !=3.1.* ,',
    '~=3.8\n,<4',
    '(>=3)',
    '>=3.6.*',
    '===3.11.4+local-1',
    '3.8',
    '',
  ])
    it(`takes the Python versions ${JSON.stringify(requiresPython)}`, () => {
      assert.ok(checkRelease({filename: 'foo-1.0.tar.gz', requiresPython}))
    })

  for (const [what, claims, ...mentioned] of refused)
    it(`refuses ${what} and names what differs`, () => {
      assert.throws(
        () => checkRelease(claims),
        (error: unknown) => {
          assert.ok(error instanceof InvalidInput)
          for (const text of mentioned)
            assert.ok(error.message.includes(text), `${error.message} lacks ${text}`)
          return true
        },
      )
    })
})
