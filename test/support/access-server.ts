import {once} from 'node:events'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import type {AclEntry, Grant} from '../../src/lib/access/access.js'
import {normalizeName} from '../../src/lib/packaging/names.js'

export interface AccessServer extends AsyncDisposable {
  readonly url: string
  /** Path and query of every request so far, and what it was authorized by. */
  readonly requests: {readonly path: string; readonly authorization: string | undefined}[]
  entries: readonly AclEntry[]
  /** Answers instead, until it is taken away; without an `end` the client waits. */
  fault: ((request: IncomingMessage, answer: ServerResponse) => void) | undefined
}

/** A server that decides for `pypi.auth = remote`, as pypicloud's documentation describes it. Every password is `NAME-pw`. */
export async function startAccessServer(entries: readonly AclEntry[]): Promise<AccessServer> {
  const server = createServer((request, answer) => {
    const {pathname, searchParams} = new URL(request.url ?? '/', 'http://loopback')
    running.requests.push({path: request.url ?? '/', authorization: request.headers.authorization})
    if (running.fault) {
      running.fault(request, answer)
      return
    }
    const found = answerTo(running.entries, pathname, Object.fromEntries(searchParams))
    answer.writeHead(found === undefined ? 404 : 200, {'Content-Type': 'application/json'})
    answer.end(JSON.stringify(found ?? null))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const running: AccessServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    entries,
    fault: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      if (server.listening) await new Promise(resolve => server.close(resolve))
    },
  }
  return running
}

function answerTo(entries: readonly AclEntry[], path: string, query: Record<string, string>): unknown {
  const {username, group, package: project = ''} = query
  const of = <K extends AclEntry['kind']>(kind: K) =>
    entries.filter((entry): entry is Extract<AclEntry, {kind: K}> => entry.kind === kind)
  const user = of('user').find(entry => entry.username === username)
  const groupsOf = (name: string) =>
    of('member')
      .filter(entry => entry.username === name)
      .map(entry => entry.group)
  const grants = (kind: 'user' | 'group') =>
    of('grant').map((grant: Grant) => ({
      ...grant,
      name: (grant.principal as Record<string, string | undefined>)[kind],
    }))
  const table = (kind: 'user' | 'group') => {
    const found = new Map<string, string[]>()
    for (const {name, project: spelling, permissions} of grants(kind)) {
      if (name === undefined || normalizeName(spelling) !== normalizeName(project)) continue
      found.set(name, [...(found.get(name) ?? []), ...permissions])
    }
    return Object.fromEntries(found)
  }
  const listOf = (kind: 'user' | 'group', name: string | undefined) =>
    grants(kind)
      .filter(grant => grant.name === name)
      .map(({project: spelling, permissions}) => ({package: spelling, permissions}))
  switch (path) {
    case '/verify':
      return user !== undefined && query['password'] === `${user.username}-pw`
    case '/groups':
      return username === undefined ? of('group').map(({name}) => name) : groupsOf(username)
    case '/group_members':
      return of('member')
        .filter(entry => entry.group === group)
        .map(entry => entry.username)
    case '/admin':
      return user?.admin ?? false
    case '/user_permissions':
      return table('user')
    case '/group_permissions':
      return table('group')
    case '/user_package_permissions':
      return listOf('user', username)
    case '/group_package_permissions':
      return listOf('group', group)
    case '/user_data':
      if (username === undefined)
        return of('user').map(({username: name, admin}) => ({username: name, admin}))
      return user && {username, admin: user.admin, groups: groupsOf(user.username)}
  }
  return undefined
}
