import {ask, askWithJson, type Asked} from '../request.js'

const lists = `/admin/user /admin/group /admin/pending_users /admin/user/bob /admin/user/nobody /admin/user/pat
  /admin/user/svc.build@example.com /admin/user/bob/permissions /admin/user/nobody/permissions /admin/group/devs
  /admin/group/everyone /admin/group/authenticated /admin/group/nogroup /admin/package/open-lib /admin/package/Open_Lib
  /admin/package/nothere /admin/package/not-normalised-name /admin/token/zoe /admin/token/bob /admin/acl.json.gz`

/** Members that hold the time or a key made of it. */
const volatile = ['token', 'token_url', 'last_modified']

/** All that administrators look at, as everybody. */
export const administrationLists: readonly Asked[] = [
  ...ask(`nobody,bob GET ${lists} /admin/rebuild /admin`, {volatile}),
  ...ask(`ada GET ${lists} /admin /admin/`, {volatile}),
  ...ask(
    `ada GET /admin/user/ /admin/group/ /admin/group/devs/ /admin/user/bob/ /admin/acl.json.gz/ /admin/user/bob/x
    /admin/user/bob/group /admin/user/bob/group/devs /admin/group/devs/x /admin/package /admin/package/
    /admin/package/open-lib/user /admin/package/open-lib/user/bob /admin/package/open-lib/user/bob/read /admin/token
    /admin/x //admin/user /admin//user /admin/user/bob/permissions/`,
    {volatile},
  ),
]

/** Users, groups and rules made, changed and removed; with what is there afterwards. */
export const administrationChanges: readonly Asked[] = [
  ...askWithJson('bob,nobody PUT /admin/user/mal', '{"password": "p"}'),
  ...askWithJson('ada PUT /admin/user/nina /admin/user/olaf', '{"password": "correct horse"}'),
  ...ask('nina GET /simple/ /api/package/open-lib/ /admin/user'),
  ...ask('ada PUT /admin/group/qa /admin/group/Q.A /admin/group/everyone /admin/group/authenticated'),
  ...ask('ada PUT /admin/user/nina/group/qa /admin/user/nobody/group/qa /admin/user/nina/group/nogroup'),
  ...ask('ada PUT /admin/user/nina/group/qa', {about: 'again'}),
  ...ask(
    `ada PUT /admin/package/open-lib/group/qa/write /admin/package/open-lib/user/nina/read /admin/package/nothere/user/olaf/read
    /admin/package/open-lib/user/nobody/read /admin/package/open-lib/group/nogroup/read /admin/package/open-lib/user/bob/fly
    /admin/package/open-lib/robot/bob/read /admin/package/secret-lib/group/everyone/read
    /admin/package/eggy/group/authenticated/read`,
  ),
  ...ask('nobody,nina,olaf GET /simple/ /api/package/ /simple/secret-lib/ /simple/nothere/ /simple/eggy/'),
  ...ask(
    'ada GET /admin/user/nina /admin/group/qa /admin/package/open-lib /admin/package/secret-lib /admin/group',
  ),
  ...ask('ada GET /admin/user/nina/permissions /admin/group/everyone /admin/user/nobody/permissions'),
  ...askWithJson('ada POST /admin/user/nina/admin', '{"admin": true}'),
  ...ask('nina GET /admin/user /simple/adminonly/'),
  ...askWithJson('ada POST /admin/user/nina/admin', '{"admin": false}'),
  ...ask('nina GET /admin/group'),
  ...ask('ada POST /admin/user/pat/approve /admin/user/nobody/approve'),
  ...ask('pat GET /simple/open-lib/ /api/package/open-lib/'),
  ...ask('ada DELETE /admin/package/open-lib/user/nina/read /admin/package/open-lib/user/nina/write'),
  ...ask('ada DELETE /admin/package/secret-lib/group/everyone/read /admin/package/eggy/group/nogroup/read'),
  ...ask('ada DELETE /admin/user/nina/group/qa /admin/user/nobody/group/qa /admin/user/nina/group/nogroup'),
  ...ask(
    'ada DELETE /admin/user/frank/group/devs /admin/group/qa /admin/group/nogroup /admin/user/olaf /admin/user/nobody',
  ),
  ...ask('olaf GET /simple/ /api/package/open-lib/'),
  ...ask(
    'ada GET /admin/user /admin/group /admin/package/open-lib /admin/user/nina /admin/group/qa /admin/pending_users',
    {about: 'after deletions'},
  ),
  ...ask('ada PUT /admin/group/qa /admin/group/devs /admin/group/x%20y /admin/group/admin', {
    about: 'once more',
  }),
  ...ask('ada DELETE /admin/group/admin /admin/group/x%20y /admin/group/qa'),
  ...askWithJson('ada PUT /admin/user/bob /admin/user/a:b /admin/user/%20sp%20', '{"password": "p"}'),
  ...ask('ada GET /admin/user /admin/group', {about: 'at the end'}),
]
