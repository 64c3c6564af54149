import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import fc from 'fast-check'
import {canonicalVersion, compareVersions, isVersion, sameVersion} from '../../src/lib/packaging/versions.js'

/** Ascending; inner lists are equal. As observed of pypicloud 1.3.12, then PEP 440 §Summary of permitted suffixes. */
const observed = [
  ['banana'],
  ['1.0_1'],
  ['1.0-SNAPSHOT'],
  ['2004d'],
  ['0.9'],
  ['1.0.dev1'],
  ['1.0a1'],
  ['1.0rc1', '1.0-c.1', '1.0preview1'],
  ['1.0', '1.0.0', 'v1.0', '01.0'],
  ['1.0+local', '1.0+LOCAL'],
  ['1.0.post1', '1.0-1', '1.0-r1'],
  ['v2.0'],
  ['1!0.5'],
]
const suffixes = [
  '1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 1.0b2.post345',
  '1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0+5.1 1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1',
]
  .join(' ')
  .split(' ')

function assertAscending(groups: readonly (readonly string[])[]): void {
  const all = groups.flatMap((versions, rank) => versions.map(version => ({version, rank})))
  for (const a of all)
    for (const b of all)
      assert.equal(
        compareVersions(a.version, b.version),
        Math.sign(a.rank - b.rank),
        `${a.version} against ${b.version}`,
      )
}

const digits = fc.nat({max: 30}).map(String)
const optional = (part: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.option(part).map(text => text ?? '')
const pep440 = fc
  .tuple(
    optional(digits.map(n => `${n}!`)),
    fc.array(digits, {minLength: 1, maxLength: 4}).map(parts => parts.join('.')),
    optional(fc.tuple(fc.constantFrom('a', '.b', '-rc', 'alpha', 'C'), digits).map(parts => parts.join(''))),
    optional(fc.tuple(fc.constantFrom('.post', '-', 'r'), digits).map(parts => parts.join(''))),
    optional(digits.map(n => `.dev${n}`)),
    optional(fc.stringMatching(/^[a-z0-9]{1,4}(?:[._-][a-z0-9]{1,4}){0,2}$/).map(local => `+${local}`)),
  )
  .map(parts => parts.join(''))
const anyVersion = fc.oneof(pep440, fc.stringMatching(/^[a-z0-9._+!-]{1,12}$/), fc.string())

describe('version order', () => {
  it('is that of the original, legacy versions below all others', () => assertAscending(observed))
  it('is that of PEP 440', () => assertAscending(suffixes.map(version => [version])))

  it('is total, whatever people called their releases', () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, anyVersion, (a, b, c) => {
        assert.equal(compareVersions(a, b), 0 - compareVersions(b, a))
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) assert.ok(compareVersions(a, c) <= 0)
      }),
    )
  })

  it('tells versions apart whose numbers no double can hold', () => {
    assert.equal(compareVersions('1.20201121123456789', '1.20201121123456788'), 1)
    assert.equal(sameVersion('1.0+12e3', '1.0+12000'), false)
    assert.equal(sameVersion('1.0+0x10', '1.0+16'), false)
    assert.equal(compareVersions(`1.${'9'.repeat(400)}`, `1.1${'0'.repeat(400)}`), -1)
  })

  it('sorts 10,000 versions and reads megabytes of nonsense without delay', () => {
    const versions = Array.from({length: 10_000}, (_, n) => `${(n * 7919) % 100}.${n % 251}.${n % 13}rc${n}`)
    const pathological = ['1.'.repeat(500_000), `${'1'.repeat(1_000_000)}x`, `1.0+${'a-'.repeat(500_000)}`]
    const start = process.cpuUsage()
    versions.sort(compareVersions)
    for (const version of [...pathological, '-'.repeat(1_000_000), '0-'.repeat(500_000)])
      assert.equal(compareVersions(version, version), 0)
    const spent = process.cpuUsage(start)
    assert.ok(spent.user < 60_000_000, 'quadratic work would take hours')
  })
})

describe('canonicalVersion', () => {
  it('writes the normal form of PEP 440', () => {
    for (const [version, expected] of [
      ['v1.0-RC.01', '1.0rc1'],
      ['1!01.0.ALPHA', '1!1.0a0'],
      ['1.0-1', '1.0.post1'],
      ['1.0.rev', '1.0.post0'],
      ['1.0_dev3+Ubuntu_1-02', '1.0.dev3+ubuntu.1.2'],
      ['2004d', undefined],
      ['1.0.', undefined],
      ['', undefined],
      ['1.0\n', undefined],
    ] as const)
      assert.equal(canonicalVersion(version), expected, version)
  })

  it('is the same release and does not change when applied again', () => {
    fc.assert(
      fc.property(pep440, version => {
        const canonical = canonicalVersion(version)
        assert.ok(canonical !== undefined)
        assert.equal(canonicalVersion(canonical), canonical)
        assert.ok(sameVersion(version, canonical))
      }),
    )
  })
})

describe('sameVersion', () => {
  it('takes spellings of PEP 440 for one, legacy versions only letter by letter', () => {
    assert.ok(sameVersion('1.0', '1.0.0'))
    assert.ok(sameVersion('1.0.dev', '1.DEV0'))
    assert.ok(sameVersion('2004d', '2004d'))
    assert.equal(sameVersion('1.0_1', '1.0.0_1'), false)
    assert.equal(sameVersion('1.0', '1.0+local'), false)
  })
})

describe('isVersion', () => {
  it('takes what releases are called and nothing that leads elsewhere', () => {
    for (const good of ['1.0', '1!2.0+local.1', '2004d', '1.0-SNAPSHOT', 'v1', '1.0_1'])
      assert.ok(isVersion(good), good)
    for (const bad of [
      '',
      '..',
      '1/../2',
      '1..2',
      '1\\2',
      ' 1',
      '1\n',
      '1\u0000',
      '../1',
      '.1',
      '1%2f',
      'é',
      '1'.repeat(300),
    ])
      assert.equal(isVersion(bad), false, JSON.stringify(bad))
  })
})
