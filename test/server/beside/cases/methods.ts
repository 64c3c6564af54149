import {ask, type Asked} from '../request.js'

const everywhere = `/ /health /health/ /simple /simple/ /simple/open-lib/ /simple/open-lib /simple/open-lib/json
  /simple/nothere/ /pypi /pypi/ /pypi/open-lib/ /pypi/open-lib/json /open-lib /open-lib/ /open-lib/json /open-lib/x /nothere/
  /packages /packages/ /packages/x /api /api/ /api/package /api/package/ /api/package/open-lib /api/package/open-lib/
  /api/package/open-lib/nothere.tar.gz /api/package/open-lib/open-lib-1.10.tar.gz/x /api/rebuild /api/user /api/user/newone
  /api/user/password /acct /acct/login /acct/tokenRegister /acct/x /static /static/x /admin /admin/ /admin/pending_users
  /admin/user /admin/user/nobody /admin/user/bob/x /admin/user/bob/permissions /admin/user/bob/group
  /admin/user/bob/group/devs/x /admin/group /admin/group/devs/x /admin/package /admin/package/open-lib
  /admin/package/open-lib/user /admin/package/open-lib/user/bob /admin/package/open-lib/user/bob/fly /admin/token
  /admin/token/bob /admin/register /admin/x /login /logout /tokenRegister /robots.txt /a/b/c`

/** What no method but the usual one does, as somebody who may do everything. */
export const oddMethods: readonly Asked[] = [
  ...ask(`ada PUT,POST,DELETE,PATCH,OPTIONS ${everywhere}`),
  ...ask('ada OPTIONS,PATCH,POST /admin/group/devs /admin/group/nogroup /admin/user/bob'),
  ...ask('ada POST,PUT /admin/acl.json.gz /admin/user/bob/admin/x'),
  ...ask(
    'nobody,bob PUT,POST,DELETE /simple/ /api/package/open-lib/ /admin/user/bob /admin/group/devs /a/b/c /simple/open-lib/',
  ),
  ...ask('nobody,bob DELETE /api/package/secret-lib/nothere.tar.gz /api/package/adminonly/nothere.tar.gz'),
  ...ask('nobody,bob,ada TRACE /simple/ /health /a/b/c'),
]
