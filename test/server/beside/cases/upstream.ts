import {ask, type Asked} from '../request.js'

const pages = `/simple/open-lib/ /simple/secret-lib/ /simple/private-tool/ /simple/adminonly/ /simple/up-only/ /simple/Up_Only/
  /simple/up-named-pkg/ /simple/nowhere/ /up-only/ /nowhere/ /pypi/open-lib/json /pypi/secret-lib/json /pypi/up-only/json
  /simple/up-only/json /pypi/nowhere/json`
const copy = '/api/package/up-only/up_only-1.0-py3-none-any.whl'

/** What is here, what only the upstream has, and what both have. */
export const upstreamRequests: readonly Asked[] = [
  ...ask(`nobody,bob,frank,ada GET ${pages}`),
  ...ask('ada HEAD /simple/open-lib/ /simple/up-only/ /simple/nowhere/ /pypi/up-only/json'),
  ...ask('ada GET /simple/ /api/package/ /api/package/up-only/ /api/package/nowhere/', {
    about: 'before any copy',
  }),
  ...ask(
    `nobody GET ${copy} /api/package/nowhere/nowhere-1.0.tar.gz /api/package/secret-lib/secret-lib-9.9.tar.gz`,
  ),
  ...ask(
    `bob GET ${copy} /api/package/up-only/up_only-7.0-py3-none-any.whl /api/package/nowhere/nowhere-1.0.tar.gz
    /api/package/up-only/up-only-1.1.tar.gz`,
    {volatile: ['last_modified']},
  ),
  ...ask('ada GET /simple/ /simple/up-only/ /api/package/ /pypi/up-only/json', {about: 'after copies'}),
  ...ask('ada GET /api/package/up-only/', {about: 'after copies', volatile: ['last_modified']}),
]
