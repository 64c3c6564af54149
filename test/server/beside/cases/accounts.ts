import {ask, askWithForm, askWithJson, type Asked} from '../request.js'

/** Logging in and out, asking for accounts, changing passwords. */
export const accountRequests: readonly Asked[] = [
  ...ask('nobody,bob,ada GET /acct/login /acct/login/ /acct/logout /acct/tokenRegister /logout /acct/x/y'),
  ...ask('bob HEAD /acct/login'),
  ...askWithJson('nobody POST /acct/login', '{"username": "bob", "password": "correct horse"}', {
    session: "bob's session",
  }),
  ...ask(
    'nobody GET / /simple/ /simple/secret-lib/ /api/package/secret-lib/ /admin/user /acct/login /api/package/adminonly/',
    {
      session: "bob's session",
    },
  ),
  ...askWithForm('nobody POST /acct/login', 'username=ada&password=correct+horse', {
    session: "ada's session",
  }),
  ...ask('nobody GET /admin/user /simple/adminonly/ /acct/login/ /acct/logout', {session: "ada's session"}),
  ...ask('nobody GET /admin/user', {session: "ada's session", about: 'after log-out'}),
  ...askWithJson('nobody POST /acct/login', '{"username": "pat", "password": "correct horse"}'),
  ...askWithJson('nobody POST /acct/login', '{"username": " bob ", "password": "correct horse"}'),
  ...askWithJson('nobody PUT /api/user/rita', '{"password": "correct horse"}'),
  ...askWithJson('nobody PUT /api/user/rita', '{"password": "again"}'),
  ...askWithJson('nobody PUT /api/user/bob', '{"password": "mine now"}'),
  ...askWithJson('nobody PUT /acct/login', '{"username": "sam", "password": "correct horse"}'),
  ...askWithJson('nobody PUT /acct/login', '{"username": "sam", "password": "correct horse 2"}'),
  ...askWithForm('nobody PUT /api/user/tom', 'password=correct+horse'),
  ...ask('nobody PUT /api/user/ute?password=correct%20horse'),
  ...askWithJson(
    `nobody PUT /api/user/${'u'.repeat(101)} /api/user/%20 /api/user/%C3%BC`,
    '{"password": "p"}',
  ),
  ...askWithJson('nobody PUT /api/user/vic', `{"password": "${'p'.repeat(101)}"}`),
  ...ask('ada GET /admin/pending_users', {about: 'after registrations'}),
  ...ask('rita GET /simple/ /api/package/open-lib/'),
  ...ask('ada POST /admin/user/rita/approve'),
  ...ask('rita GET /api/package/open-lib/', {about: 'when approved'}),
  ...askWithJson('rita POST /api/user/password', '{"old_password": "wrong", "new_password": "new"}'),
  ...askWithJson(
    'nobody POST /api/user/password',
    '{"old_password": "correct horse", "new_password": "new"}',
  ),
  ...askWithJson('rita POST /api/user/password', '{"old_password": "correct horse"}'),
  ...askWithJson(
    'rita POST /api/user/password',
    '{"old_password": "correct horse", "new_password": "correct horse"}',
  ),
  ...ask('rita GET /api/package/open-lib/', {about: 'after the change'}),
  ...askWithJson('ada POST /admin/register', '{"allow": false}'),
  ...askWithJson('nobody PUT /api/user/wim', '{"password": "p"}'),
  ...askWithJson('nobody PUT /acct/login', '{"username": "wim", "password": "p"}'),
  ...ask('nobody GET /acct/login', {about: 'when nobody may register'}),
]
