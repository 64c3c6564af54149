import {execFile} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {promisify} from 'node:util'
import {program} from '../test/support/needs.js'
import {tempDir} from '../test/support/temp.js'
import {listingOfS3} from './bare-listing.js'
import {fillStorage} from './data.js'
import {startFarService} from './far-service.js'
import {median, number, timed, type Row} from './report.js'
import {fillBucket, openService, workBare} from './storages.js'
import {iniWith, launcher, peak, runTool} from './tools.js'

const run = promisify(execFile)
const rounds = 3
/** Seconds of each round. */
type Times = Record<'full' | 'floor' | 'again' | 'list' | 'start', number[]>

/** What any rebuild of a directory has to do, by a program without a process of Node to start. */
const walkReadInsert = `
import json, os, sqlite3, sys
db = sqlite3.connect(sys.argv[2])
db.execute("CREATE TABLE packages (filename VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, version VARCHAR(1000) NOT NULL, last_modified DATETIME NOT NULL, summary TEXT, data TEXT NOT NULL, PRIMARY KEY (filename))")
db.execute("CREATE INDEX a ON packages (last_modified)")
db.execute("CREATE INDEX b ON packages (name)")
rows = []
for root, _, files in os.walk(sys.argv[1]):
    for f in files:
        if f.endswith('.meta'): continue
        path = os.path.join(root, f)
        mtime = os.stat(path).st_mtime
        with open(path + '.meta') as h: meta = json.load(h)
        parts = root.split(os.sep)
        rows.append((f, parts[-2], parts[-1], str(mtime), meta.pop('summary', None), json.dumps(meta)))
db.executemany("INSERT INTO packages VALUES (?,?,?,?,?,?)", rows)
db.commit()
`

const sqlite = (name: string) => ({'db.url': `sqlite:///%(here)s/${name}.db`})

/** In seconds. */
const rebuild = (config: string): Promise<number> =>
  timed(() => runTool('rebuild-cache', [config, '--quiet']))

async function measureDirectory(): Promise<Row[]> {
  await using temp = await tempDir()
  await fillStorage(temp.join('packages'), 2000, 10)
  await writeFile(temp.join('floor.py'), walkReadInsert)
  const config = temp.join('server.ini')
  const times = {full: [], floor: [], again: [], start: []} as Omit<Times, 'list'>
  for (let round = 0; round < rounds; round += 1) {
    const args = [temp.join('floor.py'), temp.join('packages'), temp.join(`floor${round}.db`)]
    times.floor.push(await timed(() => run(program('python3'), args)))
    await writeFile(config, iniWith({'storage.dir': '%(here)s/packages', ...sqlite(`cache${round}`)}))
    times.full.push(await rebuild(config))
    times.again.push(await rebuild(config))
    times.start.push(await timed(() => run(process.execPath, ['-e', '0'])))
  }
  const {full, floor, again, start} = times
  return [
    {
      work: 'rebuild of 20,000 files in a directory',
      measured: `${number(median(full))} s`,
      floor: `walk, read and insert (Python) ${number(median(floor))} s`,
      ratio: number(median(full) / median(floor)),
      target: '≤ 1.5',
    },
    {
      work: 'the same when nothing changed',
      measured: `${number(median(again))} s`,
      floor: `\`node -e 0\` ${number(median(start))} s`,
      ratio: '',
      target: '',
    },
  ]
}

async function measureBucket(objects: number): Promise<Row[]> {
  await using temp = await tempDir()
  await using bucket = await openService(temp.path)
  for (const name of ['packages', 'empty']) await bucket.make(name)
  await fillBucket(`${bucket.service.directory}/packages`, objects)
  await using far = await startFarService(bucket.service.url)
  const config = temp.join('server.ini')
  const empty = temp.join('empty.ini') // what a rebuild takes that has nothing to list
  const withCache = (name: string, cache: string) =>
    bucket.config(name, far.url).replace('cache.db', `${cache}.db`)
  await writeFile(empty, withCache('empty', 'empty'))

  const listing = listingOfS3(`${far.url}/packages`)
  const times = {full: [], floor: [], again: [], list: [], start: []} as Times
  for (let round = 0; round < rounds; round += 1) {
    times.floor.push(await timed(() => workBare('bare', listing)))
    await writeFile(config, withCache('packages', `cache${round}`))
    times.full.push(await rebuild(config))
    times.list.push((await workBare('bare-list', listing)).seconds)
    times.again.push(await rebuild(config))
    times.start.push(await rebuild(empty))
  }
  const {full, floor, again, list, start} = times
  const allowed = median(start) + 1.2 * median(list)
  return [
    {
      work: `rebuild of a bucket of ${number(objects)} objects, 20 ms a request`,
      measured: `${number(median(full))} s`,
      floor: `bare list and 64 parallel HEAD ${number(median(floor))} s`,
      ratio: number(median(full) / median(floor)),
      target: '≤ 1.2',
    },
    {
      work: 'the same when nothing changed',
      measured: `${number(median(again))} s`,
      floor: `with an empty bucket ${number(median(start))} s, the list alone ${number(median(list))} s`,
      ratio: number(median(again) / allowed),
      target: '≤ 1 × (start-up + 1.2 × the list)',
    },
  ]
}

async function measureMemory(projects: number, versions: number): Promise<Row[]> {
  await using temp = await tempDir()
  await fillStorage(temp.join('packages'), projects, versions)
  const config = temp.join('server.ini')
  await writeFile(config, iniWith({'storage.dir': '%(here)s/packages', ...sqlite('cache')}))
  const node = await peak(process.execPath, ['-e', '0'])
  const rows: Row[] = []
  for (const mode of ['--full', '--incremental']) {
    const {megabytes, seconds} = await peak(process.execPath, [
      launcher('rebuild-cache'),
      config,
      '--quiet',
      mode,
    ])
    rows.push({
      work: `memory of a rebuild of ${number(projects * versions)} files, ${mode}, ${number(seconds)} s`,
      measured: `${number(megabytes)} MB`,
      floor: `\`node -e 0\` ${number(node.megabytes)} MB`,
      ratio: '',
      target: '< 150 MB',
    })
  }
  return rows
}

export async function measureRebuilds(): Promise<Row[]> {
  return [...(await measureDirectory()), ...(await measureBucket(2000)), ...(await measureMemory(20_000, 10))]
}
