import {mkdir, writeFile} from 'node:fs/promises'
import {readConfig} from '../src/lib/config/config.js'
import {openBackends} from '../src/lib/backends.js'
import {completeMark} from '../src/lib/cache/cache.js'
import type {DistFile} from '../src/lib/packaging/dist-file.js'
import {startService} from '../test/services/index.js'
import {freePort} from '../test/support/free-port.js'
import {startServer} from '../test/support/live-server.js'
import {tempDir} from '../test/support/temp.js'
import {wrk} from './pages.js'
import {median, number, type Row} from './report.js'

const sizes = {small: 1000, large: 100_000} as const
type Size = keyof typeof sizes
const filesPerProject = 10
const rowsAtOnce = 1000

/** Where the caches of a kind are, one for each size of the index. */
interface Place extends AsyncDisposable {
  /** What the config says. */
  settings(size: Size): Record<string, string>
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  SQLite: () =>
    Promise.resolve({
      settings: size => ({'pypi.db': 'sql', 'db.url': `sqlite:///%(here)s/${size}.db`}),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  PostgreSQL: () => sqlServer('postgresql'),
  MariaDB: () => sqlServer('mariadb'),
  async Redis() {
    const service = await startService('redis')
    return {
      settings: size => ({'pypi.db': 'redis', 'db.url': `${service.url}/${size === 'small' ? 1 : 2}`}),
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    }
  },
  async 'DynamoDB (MiniStack)'() {
    const service = await startService('ministack')
    const {hostname, port} = new URL(service.url)
    return {
      settings: size => ({
        'pypi.db': 'dynamo',
        'db.host': hostname,
        'db.port': port,
        'db.region_name': 'us-east-1',
        'db.aws_access_key_id': 'bench',
        'db.aws_secret_access_key': 'bench',
        'db.namespace': `${size}-`,
      }),
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    }
  },
}

async function sqlServer(name: 'postgresql' | 'mariadb'): Promise<Place> {
  const service = await startService(name)
  const urls = {small: service.url, large: await service.createDatabase()}
  return {
    settings: size => ({'pypi.db': 'sql', 'db.url': urls[size]}),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  }
}

const projectName = (index: number): string => `bench-${String(index).padStart(5, '0')}`
const fileOf = (index: number): DistFile => {
  const name = projectName(Math.floor(index / filesPerProject))
  const version = `1.${index % filesPerProject}`
  return {
    filename: `${name.replaceAll('-', '_')}-${version}-py3-none-any.whl`,
    name,
    version,
    lastModified: new Date(1_700_000_000_000 + index),
    summary: 'a file',
    data: {requires_python: '>=3.8', hash_sha256: 'ab'.repeat(32), size: 1200, uploader: 'bench'},
  }
}

/** Writes the rows of `files` files, as a whole rebuild leaves them. */
async function fillCache(config: string, files: number): Promise<void> {
  await using backends = await openBackends(await readConfig(config), ['cache'])
  for (let start = 0; start < files; start += rowsAtOnce) {
    await backends.cache.save(Array.from({length: rowsAtOnce}, (_, row) => fileOf(start + row)))
  }
  await backends.cache.setState(completeMark, new Date().toISOString())
}

/** Milliseconds for the page of a project, whole. */
async function page(url: string, project: number): Promise<number> {
  const start = performance.now()
  const answer = await fetch(`${url}/simple/${projectName(project)}/`)
  const text = await answer.text()
  if (!answer.ok || !text.includes(`-1.${filesPerProject - 1}-`))
    throw new Error(`${url}: ${answer.status} ${text}`)
  return performance.now() - start
}

const iniWith = (settings: Record<string, string>): string =>
  Object.entries({
    'pypi.fallback': 'none',
    'pypi.default_read': 'everyone',
    'storage.dir': '%(here)s/packages',
    'session.validate_key': 'bench',
    ...settings,
  }).reduce((text, [key, value]) => `${text}${key} = ${value}\n`, '[app:main]\nuse = egg:pypicloud\n')

/** A project's page with 1,000 and 100,000 files in the index, in turn. */
async function measureCache(name: string, start: () => Promise<Place>): Promise<Row[]> {
  await using place = await start()
  await using temp = await tempDir()
  await mkdir(temp.join('packages'))
  const serve = async (size: Size) => {
    const config = temp.join(`${size}.ini`)
    await writeFile(config, iniWith(place.settings(size)))
    await fillCache(config, sizes[size])
    return startServer(config, await freePort(), ['--workers', '2'])
  }
  await using small = await serve('small')
  await using large = await serve('large')
  const first = {small: [] as number[], large: [] as number[]}
  for (let project = 0; project < sizes.small / filesPerProject; project += 1) {
    const [ofSmall, ofLarge] = [await page(small.url, project), await page(large.url, project)]
    if (project < 4) continue // both workers have to wake up
    first.small.push(ofSmall)
    first.large.push(ofLarge)
  }
  const rate = {small: [] as number[], large: [] as number[]}
  for (let round = 0; round < 3; round += 1) {
    rate.small.push(await wrk(`${small.url}/simple/${projectName(7)}/`, 32, {}))
    rate.large.push(await wrk(`${large.url}/simple/${projectName(7)}/`, 32, {}))
  }
  const row = (work: string, values: typeof rate, unit: string): Row => ({
    work,
    measured: `${number(median(values.large))}${unit}`,
    floor: `1,000 files ${number(median(values.small))}${unit}`,
    ratio: number(median(values.large) / median(values.small)),
    target: 'flat (± 15 %)',
  })
  return [
    row(`\`/simple/<project>/\` with 100,000 files in ${name}, 32 connections`, rate, '/s'),
    row('pages that nobody has asked for before, one by one', first, ' ms'),
  ]
}

/** Each cache as it grows. */
export async function measureCaches(): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, start] of Object.entries(places)) rows.push(...(await measureCache(name, start)))
  return rows
}
