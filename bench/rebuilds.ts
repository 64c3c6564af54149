import {execFile} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import pLimit from 'p-limit'
import {readConfig} from '../src/lib/config/config.js'
import {PackageStorage} from '../src/lib/storage/package-storage.js'
import {openS3Store} from '../src/lib/storage/s3/s3.js'
import {startFaultProxy} from '../test/services/fault-proxy.js'
import {startService} from '../test/services/index.js'
import {bodyOf} from '../test/contracts/object-store.js'
import {program} from '../test/support/needs.js'
import {tempDir} from '../test/support/temp.js'
import {fillStorage} from './data.js'
import {median, number, timed, type Row} from './report.js'
import {iniWith, launcher, peak, runTool} from './tools.js'

const run = promisify(execFile)
const rounds = 3
/** Seconds of each round. */
type Times = Record<'full' | 'floor' | 'again' | 'list' | 'start', number[]>
const bareList = fileURLToPath(new URL('./bare-list.js', import.meta.url))

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
  await using service = await startService('versitygw')
  await using proxy = await startFaultProxy(service.url)
  const settings = {
    'pypi.storage': 's3',
    'storage.bucket': 'packages',
    'storage.endpoint_url': proxy.url,
    'storage.region_name': 'us-east-1',
    'storage.aws_access_key_id': service.accessKeyId,
    'storage.aws_secret_access_key': service.secretAccessKey,
  }
  const config = temp.join('server.ini')
  const empty = temp.join('empty.ini') // what a rebuild takes that has nothing to list
  await writeFile(config, iniWith({...settings, ...sqlite('cache')}))
  await writeFile(empty, iniWith({...settings, 'storage.bucket': 'empty', ...sqlite('empty')}))
  await fillBucket(config, objects)
  await fillBucket(empty, 0)
  proxy.delayMs = 20

  const bare = async (...more: string[]) => {
    const args = [bareList, proxy.url, 'packages', service.accessKeyId, service.secretAccessKey, ...more]
    let requests = 0
    const whole = await timed(async () => (requests = Number((await run(process.execPath, args)).stdout)))
    return {whole, requests}
  }
  const times = {full: [], floor: [], again: [], list: [], start: []} as Times
  for (let round = 0; round < rounds; round += 1) {
    times.floor.push((await bare('heads')).whole)
    await writeFile(config, iniWith({...settings, ...sqlite(`cache${round}`)}))
    times.full.push(await rebuild(config))
    times.list.push((await bare()).requests)
    times.again.push(await rebuild(config))
    times.start.push(await rebuild(empty))
    proxy.requests.length = 0
  }
  const {full, floor, again, list, start} = times
  const allowed = median(start) + 1.2 * median(list)
  return [
    {
      work: `rebuild of a bucket of ${number(objects)} objects, 20 ms a request`,
      measured: `${number(median(full))} s`,
      floor: `list and 64 parallel HEAD (AWS SDK) ${number(median(floor))} s`,
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

async function fillBucket(config: string, objects: number): Promise<void> {
  await using store = await openS3Store(await readConfig(config))
  const storage = new PackageStorage(store)
  const limit = pLimit(16)
  const put = (index: number) => {
    const [name, version] = [`bench-${index % 200}`, `1.${index}`]
    const file = {
      name,
      version,
      filename: `${name}-${version}.tar.gz`,
      lastModified: new Date(),
      summary: 'a file',
      data: {},
    }
    return storage.put(file, bodyOf(`${index}`), {replace: true})
  }
  await Promise.all(Array.from({length: objects}, (_, index) => limit(put, index)))
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
