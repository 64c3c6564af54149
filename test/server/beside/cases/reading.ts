import {ask, askWithHeader, type Asked} from '../request.js'

const file = '/api/package/open-lib/open-lib-1.10.tar.gz'

/** Pages, lists and files, of every kind of address, as everybody. */
export const readingRequests: readonly Asked[] = [
  ...ask(
    `nobody,bob,ada GET / /health /health/ //health /simple /simple/ /simple// //simple/ /simple/?x=1 /simple?x=1
    /simple/open-lib /simple/open-lib/ /simple/Open_Lib/ /simple/OPEN-LIB /simple/open-lib// /simple//open-lib/
    /simple/open-lib/json /simple/open-lib/json/ /simple/open-lib/json/x /simple/open-lib/x /simple/open-lib?x=1&y=%2F
    /simple/foo.bar_baz/ /simple/private-tool/ /simple/secret-lib/ /simple/secret-lib/json /simple/adminonly/ /simple/eggy/
    /simple/nothere/ /simple/nothere /simple/Not.Here/ /simple/nothere/json /simple/not%20here/ /simple/%C3%BCber/
    /pypi /pypi/ /pypi?x=1 /pypi/open-lib /pypi/open-lib/ /pypi/open-lib/json /pypi/open-lib/json/ /pypi/foo.bar_baz/json
    /pypi/eggy/json /pypi/private-tool/json /pypi/nothere/json /open-lib /open-lib/ /open-lib/json /open-lib/json/
    /open-lib/x /nothere /nothere/ /nothere/json /favicon.ico /robots.txt /simple/- /a/b/c/d /~
    /packages /packages/ /packages/x /packages/x/y /packages?x=1`,
  ),
  ...ask(
    `nobody,bob,carol,ada GET /api /api/ /api/package /api/package/ /api/package/?verbose=1 /api/package?verbose=1
    /api/package/?verbose= /api/package/?verbose=0 /api/package/open-lib /api/package/open-lib/ /api/package/Open_Lib/
    /api/package/nothere/ /api/package/secret-lib/ /api/package/private-tool/ /api//package/open-lib/
    ${file} ${file}/ ${file}/x ${file}?x=1 /api/package/open-lib%2Fopen-lib-1.10.tar.gz
    /api/package/open-lib/nothere.tar.gz /api/package/nothere/nothere-1.0.tar.gz /api/package/secret-lib/nothere.tar.gz
    /api/package/Open_Lib/open-lib-1.10.tar.gz /api/package/open-lib/OPEN-LIB-1.10.tar.gz
    /api/package/private-tool/private_tool-1!1.0+local.7-py3-none-any.whl
    /api/package/private-tool/private_tool-1%211.0%2Blocal.7-py3-none-any.whl
    /api/rebuild /api/user /api/user/ /api/user/bob /api/x`,
  ),
  ...ask(
    'ada HEAD / /health /simple /simple/ /simple/open-lib/ /simple/nothere/ /pypi/open-lib/json /packages/',
  ),
  ...ask(
    `ada HEAD /api/package/ /api/package/open-lib/ ${file} /api/package/open-lib/none.whl /admin/user /admin/x`,
  ),
  ...ask(`nobody HEAD /simple/secret-lib/ /simple/secret-lib/json ${file} /admin/user /acct/login`),
]

/** Addresses that hide what they mean. */
export const oddAddresses: readonly Asked[] = [
  ...ask(
    `nobody,ada GET /simple/%E4/ /simple/../health /simple/%2e%2e/health /%2e%2e/health /simple/. /simple/./open-lib/
    /simple/open-lib%2F /simple%2Fopen-lib/ /simple/open-lib%00/ /simple/open-lib%0a/ /simple/%252e/ /static /static/
    /static/x /static/1.3.12/js/x.js /static/../server.ini /simple/open-lib/?format=nonsense /simple/open%2dlib/
    /simple/open-lib;x=1/ /simple/open-lib/# /simple/<b>/ /simple/${'a'.repeat(300)}/ /login /tokenRegister /acct /acct/ /acct/x`,
  ),
]

/** Conditions, ranges, and what the client likes to have. */
export const conditionalRequests: readonly Asked[] = [
  ...[
    'bytes=0-9',
    'bytes=-5',
    'bytes=5-',
    'bytes=0-0',
    'bytes=99999999-',
    'bytes=9-2',
    'bytes=0-1,4-5',
    'bytes=',
    'bytes=-',
    'bytes=-0',
    'lines=1-2',
    'nonsense',
  ].flatMap(range => askWithHeader(`ada GET ${file}`, 'range', range)),
  ...(
    [
      ['if-modified-since', 'Sun, 01 Jan 2034 00:00:00 GMT'],
      ['if-modified-since', 'Sun, 01 Jan 2012 00:00:00 GMT'],
      ['if-modified-since', 'nonsense'],
      ['if-none-match', '*'],
      ['if-none-match', '"other"'],
      ['if-match', '"x"'],
      ['if-unmodified-since', 'Sun, 01 Jan 2012 00:00:00 GMT'],
    ] as const
  ).flatMap(([name, value]) => askWithHeader(`ada GET ${file}`, name, value)),
  ...[
    'text/html',
    'application/json',
    'text/plain',
    '*/*',
    'image/png',
    'application/vnd.pypi.simple.v1+json',
    'application/vnd.pypi.simple.v2+json',
    'text/html;q=0.1, application/json',
    'nonsense',
    '',
  ].flatMap(accept =>
    askWithHeader(
      `ada GET /simple/ /simple/open-lib/ /simple/nothere/ /pypi/open-lib/json /pypi/nothere/json /api/package/open-lib/
      /api/package/open-lib/none.whl /admin/user /admin/nothing /packages/ /a/b/c`,
      'accept',
      accept,
    ),
  ),
  ...['text/html', 'application/json', '*/*'].flatMap(accept =>
    askWithHeader('nobody GET /api/package/secret-lib/ /admin/user /simple/secret-lib/', 'accept', accept),
  ),
]

/** Credentials that are none. */
export const badCredentials: readonly Asked[] = [
  'Basic',
  'Basic ',
  'Basic !!!',
  'basic YmFk',
  'BASIC YmFkOg==',
  'Bearer x',
  'Digest x',
  `Basic ${Buffer.from('ada').toString('base64')}`,
  `Basic ${Buffer.from(':').toString('base64')}`,
  `Basic ${Buffer.from('nobody:x').toString('base64')}`,
  `Basic ${Buffer.from('ada:wrong').toString('base64')}`,
  `Basic ${Buffer.from('ada:').toString('base64')}`,
  `Basic ${Buffer.from('ADA:correct horse').toString('base64')}`,
  `Basic ${Buffer.from('pat:correct horse').toString('base64')}`, // who waits for approval
  `basic  ${Buffer.from('ada:correct horse').toString('base64')}`,
  `Basic ${Buffer.from('ada:correct horse').toString('base64')} x`,
  Buffer.from('ada:correct horse').toString('base64'),
].flatMap(value =>
  askWithHeader(
    'nobody GET /simple/ /simple/secret-lib/ /admin/user /api/package/secret-lib/',
    'authorization',
    value,
  ),
)
