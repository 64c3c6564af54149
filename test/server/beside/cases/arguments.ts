import {ask, askWithForm, askWithJson, type Asked} from '../request.js'

/** Bodies that are none, or hold other things than were asked for. */
export const oddArguments: readonly Asked[] = [
  ...[
    '',
    '{}',
    '[]',
    'null',
    '{bad',
    '"x"',
    '[["username", "bob"]]',
    '{"username": "bob"}',
    '{"username": "bob", "password": 3}',
    '{"username": "bob", "password": "wrong"}',
    '{"username": null, "password": null}',
    '{"username": "", "password": ""}',
    '{"username": "bob", "password": "correct horse", "extra": 1}',
    '{"token": "x", "password": "y"}',
    '{"token": null, "password": "y"}',
  ].flatMap(body => [
    ...askWithJson('nobody POST,PUT /acct/login', body),
    ...askWithJson('nobody PUT /acct/tokenRegister', body),
    ...askWithJson('ada POST /simple/ /api/package/open-lib/x.whl', body),
  ]),
  ...[
    '',
    'username=bob',
    'username=bob&password=wrong',
    'username=bob&password=correct+horse',
    'password=x',
    'content=abc',
    'content=abc&:action=doc_upload',
    ':action=nonsense',
    'name=x&version=1&content=',
    '%%%',
    'username=bob&username=ada&password=x',
    'token=x&password=y',
  ].flatMap(body => [
    ...askWithForm('nobody POST,PUT /acct/login', body),
    ...askWithForm('nobody PUT /acct/tokenRegister', body),
    ...askWithForm('ada POST /simple/ /pypi/ / /api/package/open-lib/x.whl', body),
  ]),
  ...ask(
    'nobody POST /acct/login?username=bob&password=wrong /acct/login?username=bob&password=correct%20horse',
  ),
  ...ask('ada POST /simple/?:action=nonsense'),
]

/** What administrators may say, and a bit more. */
export const oddAdministration: readonly Asked[] = [
  ...[
    '',
    '{}',
    '[]',
    'null',
    '{"admin": true}',
    '{"admin": false}',
    '{"admin": "x"}',
    '{"admin": null}',
    '{"admin": 1}',
  ].flatMap(body => askWithJson('ada POST /admin/user/dave/admin /admin/user/nobody/admin', body)),
  ...[
    '',
    '{}',
    'null',
    '{"password": ""}',
    '{"password": 5}',
    '{"password": null}',
    '{"password": "p"}',
  ].flatMap(body => askWithJson('ada PUT /admin/user/erin /admin/user/fresh', body)),
  ...[
    '',
    '{}',
    '{"allow": true}',
    '{"allow": "no"}',
    '{"allow": null}',
    '{"allow": 0}',
    '{"allow": true}',
  ].flatMap(body => askWithJson('ada POST /admin/register', body)),
  ...['admin=', 'admin=true', 'admin=false', 'x=1', ''].flatMap(body =>
    askWithForm('ada POST /admin/user/dave/admin', body),
  ),
  ...['password=', 'password=p', ''].flatMap(body => askWithForm('ada PUT /admin/user/gus', body)),
  ...['allow=', 'allow=false', 'allow=true', ''].flatMap(body =>
    askWithForm('ada POST /admin/register', body),
  ),
]
