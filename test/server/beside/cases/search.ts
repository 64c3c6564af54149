import {askWithXml, type Asked} from '../request.js'

const call = (method: string, ...params: readonly string[]): string =>
  `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params
    .map(param => `<param><value>${param}</value></param>`)
    .join('')}</params></methodCall>`
const text = (value: string): string => `<string>${value}</string>`
const list = (...values: readonly string[]): string =>
  `<array><data>${values.map(value => `<value>${text(value)}</value>`).join('')}</data></array>`
const struct = (members: Readonly<Record<string, string>>): string =>
  `<struct>${Object.entries(members)
    .map(([name, value]) => `<member><name>${name}</name><value>${value}</value></member>`)
    .join('')}</struct>`
const byName = struct({name: list('open')})

/** `pip search`, and other calls. */
export const searchRequests: readonly Asked[] = [
  ...[
    '',
    'x',
    '<a/>',
    call('nope'),
    call('list_packages'),
    call('system.listMethods'),
    call('package_releases', text('open-lib')),
    call('search'),
    call('search', text('x')),
    call('search', byName),
    call('search', byName, text('or')),
    call('search', byName, text('and')),
    call('search', byName, text('xor')),
    call('search', byName, text('or'), text('x')),
    call('search', text('a'), text('or')),
    call('search', struct({name: text('open')}), text('or')),
    call('search', struct({}), text('or')),
    call('search', struct({name: list()}), text('or')),
    call('search', struct({color: list('x')}), text('or')),
    call('search', struct({name: list('OPEN'), summary: list('lib')}), text('and')),
    call('search', struct({name: list('open', 'secret'), summary: list('tool')}), text('or')),
  ].flatMap(body => askWithXml('ada POST /pypi', body)),
  ...askWithXml('nobody,bob POST /pypi/', call('search', struct({name: list('lib')}), text('or'))),
  ...askWithXml('ada POST /pypi', call('search', byName, text('or')), 'text/xml; charset=utf-8'),
  ...askWithXml('ada POST /pypi', call('search', byName, text('or')), 'application/xml'),
  ...askWithXml('ada POST /simple/', call('search', byName, text('or'))),
]
