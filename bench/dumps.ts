import {mkdir, writeFile} from 'node:fs/promises'
import {startService} from '../test/services/index.js'
import {testPasswordHash} from '../test/support/live-server.js'
import {tempDir} from '../test/support/temp.js'
import {number, type Row} from './report.js'
import {iniWith, launcher, peak} from './tools.js'

const sqlite = 'sqlite:///%(here)s/access.db'

/** `ppc-export` and `ppc-import`, with SQLite and, beside them, the servers that keep the rows elsewhere. */
export async function measureDumps(): Promise<Row[]> {
  const rows = [
    ...(await measureDump(1000, 'SQLite', sqlite, ['≤ 0.3 s beyond', '≤ 0.4 s beyond'])),
    ...(await measureDump(10_000, 'SQLite', sqlite, ['', ''])),
    ...(await measureDump(100_000, 'SQLite', sqlite, ['< 150 MB', '< 150 MB'])),
  ]
  for (const [name, service] of [
    ['PostgreSQL', 'postgresql'],
    ['MariaDB', 'mariadb'],
  ] as const) {
    await using server = await startService(service)
    rows.push(...(await measureDump(10_000, name, await server.createDatabase(), ['', ''])))
    rows.push(...(await measureDump(100_000, name, server.url, ['< 150 MB', '< 150 MB'])))
  }
  return rows
}

/** A dump with `users` users, a tenth as many groups, and ten permissions a user. */
function dump(users: number): string {
  const name = (index: number) => `user${String(index).padStart(6, '0')}`
  const all = Array.from({length: users}, (_, index) => index)
  const packages: Record<string, Record<string, string[]>> = {}
  for (const index of all) {
    for (let rule = 0; rule < 10; rule += 1) {
      const project = `project-${(index * 7 + rule * 13) % Math.max(100, users)}`
      ;(packages[project] ??= {})[name(index)] = ['read']
    }
  }
  return JSON.stringify({
    allow_register: false,
    version: '1.3.12',
    groups: {},
    users: all.map(index => ({username: name(index), admin: index === 0, password: testPasswordHash})),
    packages: {users: packages, groups: {}},
    pending_users: [],
  })
}

async function measureDump(
  users: number,
  place: string,
  url: string,
  targets: readonly [string, string],
): Promise<Row[]> {
  await using temp = await tempDir()
  await mkdir(temp.join('packages'))
  await writeFile(temp.join('dump.json'), dump(users))
  await writeFile(
    temp.join('a.ini'),
    iniWith({
      'storage.dir': '%(here)s/packages',
      'db.url': 'sqlite:///%(here)s/cache.db',
      'pypi.auth': 'sql',
      'auth.db.url': url,
    }),
  )
  const node = await peak(process.execPath, ['-e', '0'])
  const tool = (name: string, ...args: string[]) => peak(process.execPath, [launcher(name), ...args])
  const into = await tool('import', temp.join('a.ini'), '-i', temp.join('dump.json'))
  const again = await tool('import', temp.join('a.ini'), '-i', temp.join('dump.json'), '--prune', '--yes')
  const out = await tool('export', temp.join('a.ini'), '-o', temp.join('out.json.gz'))
  const label = `${number(users)} users, ${number(users * 10)} permissions, ${place}`
  const row = (work: string, result: {megabytes: number; seconds: number}, target: string): Row => ({
    work: `${work} of ${label}`,
    measured: `${number(result.seconds)} s, ${number(result.megabytes)} MB`,
    floor: `\`node -e 0\` ${number(node.seconds)} s`,
    ratio: `${number(result.seconds - node.seconds)} s beyond`,
    target,
  })
  return [
    row('export', out, targets[0]),
    row('import', into, targets[1]),
    row('the same again with --prune', again, users === 1000 ? '' : targets[1]),
  ]
}
