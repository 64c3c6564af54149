import fc from 'fast-check'
import assert from 'node:assert/strict'
import {spawnSync} from 'node:child_process'
import {describe, it} from 'node:test'
import {escapePercent, interpolate, InterpolationError, parseIni} from '../../src/lib/config/ini.js'
import type {ConfigProblem} from '../../src/lib/config/problems.js'
import {needs, program} from '../support/needs.js'

function parse(text: string) {
  const problems: ConfigProblem[] = []
  const file = parseIni(text, '/x.ini', problems)
  const section = (name: string) =>
    new Map([...(file.sections.get(name)?.entries ?? [])].map(([key, entry]) => [key, entry.value]))
  return {file, problems, section}
}

describe('the INI dialect', () => {
  it('keeps the case of keys, and takes the first = or : as the delimiter', () => {
    const {section, problems} = parse('[a]\nKey = 1\nkey: 2\nurl = http://h:1/?a=b ; c\nempty =\n')
    assert.deepEqual(problems, [])
    assert.deepEqual(
      [...section('a')],
      [
        ['Key', '1'],
        ['key', '2'],
        ['url', 'http://h:1/?a=b ; c'],
        ['empty', ''],
      ],
    )
  })

  it('joins indented lines, keeps empty lines inside and drops comments', () => {
    const {section, file} = parse('[a]\nlist =\n  one\n\n  # no\n  two # yes\n\n\nnext = x\n')
    assert.equal(section('a').get('list'), '\none\n\ntwo # yes')
    assert.equal(file.sections.get('a')?.entries.get('next')?.line, 9)
  })

  it('reports every problem with its line, without quoting what might be a secret', () => {
    const {problems} = parse('stray\n[a]\nx = 1\nx = 2\nhunter2\n= 3\n[a]\n')
    assert.deepEqual(
      problems.map(({line, key}) => [line, key]),
      [
        [1, undefined],
        [4, 'x'],
        [5, undefined],
        [6, undefined],
        [7, undefined],
      ],
    )
    assert.ok(!JSON.stringify(problems).includes('hunter2'))
  })

  it('reads CRLF, a lone CR, and a key called __proto__', () => {
    const {section} = parse('[a]\r\n__proto__ = 1\rconstructor = 2\r\n')
    assert.deepEqual(
      [...section('a')],
      [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    )
  })

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string({unit: 'binary'}), text => void parse(text)))
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('[a]', '[', ']', '=', ':', ' ', '\n', '%', '#', 'k'), {maxLength: 60}),
        parts => void parse(parts.join('')),
      ),
    )
  })

  it('reads back what was written', () => {
    const word = fc.stringMatching(/^[A-Za-z_$./][\w$./%-]{0,15}$/)
    const value = fc.array(fc.stringMatching(/^[\w$./%=:;#-][\w $./%=:;#-]{0,20}$/), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(fc.dictionary(word, fc.dictionary(word, value)), sections => {
        const clean = (line: string) => line.trim().replace(/^[#;]/, 'x')
        const text = Object.entries(sections)
          .map(
            ([name, keys]) =>
              `[s:${name}]\n${Object.entries(keys)
                .map(([key, lines]) => `${key} = ${lines.map(clean).join('\n\t')}\n`)
                .join('')}`,
          )
          .join('\n')
        const {section, problems} = parse(text)
        assert.deepEqual(problems, [])
        for (const [name, keys] of Object.entries(sections)) {
          assert.deepEqual(
            [...section(`s:${name}`)],
            Object.entries(keys).map(([key, lines]) => [key, lines.map(clean).join('\n')]),
          )
        }
      }),
    )
  })

  it("agrees with Python's configparser", needs('python3'), () => {
    const piece = fc.constantFrom(
      ...[
        '[a]\n',
        '[b] x\n',
        '[DEFAULT]\n',
        'k = v\n',
        'k2: w\n',
        '  more\n',
        '\tdeep\n',
        '\n',
        '# c\n',
        '  ; c\n',
      ],
      ...[
        '  k3 = indented\n',
        'K=1\n',
        'no delimiter\n',
        '=x\n',
        'p = %%(k)s %(k)s\n',
        '[]\n',
        'a b = c\r\n',
      ],
    )
    const texts = fc.sample(fc.array(piece, {maxLength: 14}), 2000).map(parts => parts.join(''))
    const python = `
import configparser, io, json, sys
out = []
for text in json.load(sys.stdin):
    parser = configparser.ConfigParser()
    parser.optionxform = str
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        out.append(None)
        continue
    out.append([list(parser._defaults.items()), [[n, list(s.items())] for n, s in parser._sections.items()]])
json.dump(out, sys.stdout)
`
    const run = spawnSync(program('python3'), ['-c', python], {
      input: JSON.stringify(texts),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    assert.equal(run.status, 0, run.stderr)
    for (const [index, expected] of (JSON.parse(run.stdout) as unknown[]).entries()) {
      const {file, problems} = parse(texts[index]!)
      const items = (entries: ReadonlyMap<string, {value: string}>) =>
        [...entries].map(([key, entry]) => [key, entry.value])
      const ours =
        problems.length > 0
          ? null
          : [items(file.defaults), [...file.sections].map(([name, one]) => [name, items(one.entries)])]
      assert.deepEqual(ours, expected, texts[index])
    }
  })
})

describe('interpolation', () => {
  const values = new Map([
    ['a', '1'],
    ['b', '%(a)s-%%'],
    ['loop', '%(loop)s'],
    ...Array.from({length: 8}, (_, n): [string, string] => [`n${n}`, `%(n${n + 1})s`.repeat(99)]),
    ['n8', ''],
    ['wide', '%(wider)s'.repeat(100)],
    ['wider', 'x'.repeat(100_000)],
  ])
  const expand = (text: string) => interpolate(text, name => values.get(name))

  it('replaces names, nested ones too, and doubled percent signs', () => {
    assert.equal(expand('x %(b)s %%40'), 'x 1-% %40')
  })

  it('refuses a lone percent sign, unknown names, circles and explosions', () => {
    for (const text of ['50%', '%s', '%(a)', '%(nope)s', '%(loop)s', '%(wide)s', '%(n0)s']) {
      assert.throws(() => expand(text), InterpolationError, text)
    }
  })

  it('gives back what was escaped', () => {
    fc.assert(fc.property(fc.string(), text => expand(escapePercent(text)) === text))
  })
})
