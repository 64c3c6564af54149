import {execFile} from 'node:child_process'
import {mkdir, readdir, writeFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {CreateBucketCommand, PutBucketPolicyCommand} from '@aws-sdk/client-s3'
import {readConfig} from '../src/lib/config/config.js'
import {s3Client} from '../src/lib/storage/s3/client.js'
import {readS3Settings} from '../src/lib/storage/s3/settings.js'
import {startService} from '../test/services/index.js'
import {program} from '../test/support/needs.js'
import {tempDir} from '../test/support/temp.js'
import {listingOfS3, type BareListing} from './bare-listing.js'
import {fillStorage} from './data.js'
import {startFarService} from './far-service.js'
import {median, number, timed, type Row} from './report.js'
import type {WorkerResult} from './storage-worker.js'
import {runTool} from './tools.js'

const run = promisify(execFile)
/** A small move, of which the start of a process is a large part, and one of some size. */
const moves = [
  {projects: 50, versions: 10, rounds: 7},
  {projects: 500, versions: 10, rounds: 1},
]

type Bucket = Awaited<ReturnType<typeof openService>>

/** versitygw with the buckets of the benchmark, which everybody may read, as the floor does. */
export async function openService(directory: string) {
  const service = await startService('versitygw', {keepAlive: true})
  const config = (bucket: string, url: string) =>
    [
      '[app:main]',
      'use = egg:pypicloud',
      'pypi.storage = s3',
      `storage.bucket = ${bucket}`,
      `storage.endpoint_url = ${url}`,
      'storage.region_name = us-east-1',
      `storage.aws_access_key_id = ${service.accessKeyId}`,
      `storage.aws_secret_access_key = ${service.secretAccessKey}`,
      'storage.prepend_hash = false',
      'db.url = sqlite:///%(here)s/cache.db',
      '',
    ].join('\n')
  await writeFile(`${directory}/service.ini`, config('none', service.url))
  const client = s3Client(readS3Settings(await readConfig(`${directory}/service.ini`)), 'us-east-1')
  const make = async (bucket: string) => {
    await client.send(new CreateBucketCommand({Bucket: bucket}))
    const statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    }
    const Policy = JSON.stringify({Version: '2012-10-17', Statement: [statement]})
    await client.send(new PutBucketPolicyCommand({Bucket: bucket, Policy}))
  }
  return {
    ...{service, make, config},
    async [Symbol.asyncDispose]() {
      client.destroy()
      await service[Symbol.asyncDispose]()
    },
  }
}

/** Runs the worker in a process of its own. */
export async function work(...args: readonly string[]): Promise<WorkerResult> {
  const worker = fileURLToPath(new URL('storage-worker.js', import.meta.url))
  const {stdout} = await run(process.execPath, [worker, ...args])
  return JSON.parse(stdout) as WorkerResult
}

export const workBare = (name: 'bare' | 'bare-list', listing: BareListing): Promise<WorkerResult> =>
  work(name, JSON.stringify(listing))

/** Puts objects where the service keeps them as files: a hundredth of the time that uploads take. */
export async function fillBucket(directory: string, files: number): Promise<void> {
  const script = `
import hashlib, json, os, sys
for i in range(int(sys.argv[2])):
    name, version = "bench-%05d" % (i // 10), "1.%d" % (i % 10)
    filename = "%s-%s-py3-none-any.whl" % (name.replace("-", "_"), version)
    content = filename.encode()
    md5 = hashlib.md5(content).hexdigest()
    os.makedirs(os.path.join(sys.argv[1], name), exist_ok=True)
    path = os.path.join(sys.argv[1], name, filename)
    with open(path, "wb") as f:
        f.write(content)
    metadata = {"name": name, "version": version, "hash-md5": md5, "summary": "a file", "requires-python": ">=3.8",
                "hash-sha256": hashlib.sha256(content).hexdigest(), "uploader": "bench"}
    os.setxattr(path, "user.etag", ('"%s"' % md5).encode())
    os.setxattr(path, "user.metadata", json.dumps(metadata).encode())
`
  await run(program('python3'), ['-c', script, directory, String(files)])
}

async function measureListing(bucket: Bucket, directory: string): Promise<Row[]> {
  const {service, make, config} = bucket
  const file = `${directory}/list.ini`
  const fill = async (name: string, files: number) => {
    await make(name)
    await fillBucket(`${service.directory}/${name}`, files)
  }
  await fill('small', 1000)
  await fill('middle', 20_000)
  const ours: number[] = []
  const floor: number[] = []
  {
    await using far = await startFarService(service.url)
    await writeFile(file, config('middle', far.url))
    for (let round = 0; round < 3; round += 1) {
      floor.push((await workBare('bare', listingOfS3(`${far.url}/middle`))).seconds)
      ours.push((await work('list', file)).seconds)
    }
  }
  await fill('large', 200_000)
  await writeFile(file, config('small', service.url))
  const small = await work('list', file)
  await writeFile(file, config('large', service.url))
  const large = await work('list', file)
  return [
    {
      work: 'listing of 20,000 objects with metadata, S3 at 20 ms a request',
      measured: `${number(median(ours))} s`,
      floor: `bare list and 64 parallel HEAD ${number(median(floor))} s`,
      ratio: number(median(ours) / median(floor)),
      target: '≤ 1.2',
    },
    {
      work: `memory of a listing of ${number(large.count)} objects`,
      measured: `${number(large.peak)} MB`,
      floor: `of ${number(small.count)} ${number(small.peak)} MB`,
      ratio: number(large.peak / small.peak),
      target: '< 150 MB',
    },
  ]
}

async function measureMigration(
  {service, make, config}: Bucket,
  directory: string,
  {projects, versions, rounds}: (typeof moves)[number],
): Promise<Row[]> {
  const files = `${directory}/files${projects}`
  await mkdir(files)
  await fillStorage(files, projects, versions)
  const iniOf = async (name: string, text: string) => {
    await writeFile(`${directory}/${name}.ini`, text)
    return `${directory}/${name}.ini`
  }
  const directoryIni = (path: string) =>
    `[app:main]\nuse = egg:pypicloud\npypi.storage = file\nstorage.dir = ${path}\ndb.url = sqlite:///%(here)s/cache.db\n`
  await using far = await startFarService(service.url)
  const rclone = (from: string, to: string) =>
    run(
      program('rclone'),
      ['copy', from, to, '--transfers', '64', '--checkers', '64', '--fast-list', '--config', '/dev/null'],
      {
        env: {
          PATH: process.env['PATH'], // no proxies, certificates and keys of this machine
          RCLONE_CONFIG_FAR_TYPE: 's3',
          RCLONE_CONFIG_FAR_PROVIDER: 'Other',
          RCLONE_CONFIG_FAR_ENDPOINT: far.url,
          RCLONE_CONFIG_FAR_REGION: 'us-east-1',
          RCLONE_CONFIG_FAR_ACCESS_KEY_ID: service.accessKeyId,
          RCLONE_CONFIG_FAR_SECRET_ACCESS_KEY: service.secretAccessKey,
        },
      },
    )
  const migrate = (from: string, to: string) =>
    timed(() => runTool('migrate', [from, to, '--quiet', '--concurrency', '64']))
  const source = await iniOf('source', directoryIni(files))
  const times = {
    up: [] as number[],
    down: [] as number[],
    upFloor: [] as number[],
    downFloor: [] as number[],
    sync: [] as number[],
  }
  for (let round = 0; round < rounds; round += 1) {
    const [ours, theirs] = [`ours-${projects}-${round}`, `theirs-${projects}-${round}`]
    await make(ours)
    await make(theirs)
    const there = await iniOf(ours, config(ours, far.url))
    const back = await iniOf(
      `back${projects}-${round}`,
      directoryIni(`${directory}/back${projects}-${round}`),
    )
    times.upFloor.push(await timed(() => rclone(files, `far:${theirs}`)))
    times.up.push(await migrate(source, there))
    times.downFloor.push(await timed(() => rclone(`far:${theirs}`, `${directory}/${theirs}`)))
    times.sync.push(await timed(() => run('sync', ['--file-system', directory]))) // which rclone leaves to others
    times.down.push(await migrate(there, back))
    const copied = (await readdir(`${directory}/back${projects}-${round}`)).filter(name =>
      name.startsWith('bench-'),
    )
    if (copied.length !== projects) throw new Error(`${copied.length} of ${projects} projects came back`)
    // it stays: without a journal, ext4 passes over inodes that went less than a minute ago, one by one
  }
  const row = (way: string, ours: readonly number[], floor: readonly number[], more = ''): Row => ({
    work: `migrate ${number(projects * versions)} files ${way} S3 at 20 ms a request, 64 at once`,
    measured: `${number(median(ours))} s`,
    floor: `rclone, 64 transfers ${number(median(floor))} s${more}`,
    ratio: number(median(ours) / median(floor)),
    target: '≤ 1.2',
  })
  const synced = `, \`sync\` after it ${number(median(times.sync))} s more`
  return [row('to', times.up, times.upFloor), row('back from', times.down, times.downFloor, synced)]
}

async function measureBigObject({service, make, config}: Bucket, directory: string): Promise<Row[]> {
  await make('big')
  await writeFile(`${directory}/big.ini`, config('big', service.url))
  const rows: Row[] = []
  for (const [way, name] of [
    ['up', 'upload of one 1 GB object to S3'],
    ['down', 'download of it'],
  ] as const) {
    const {seconds, count, idle, peak} = await work(way, `${directory}/big.ini`)
    rows.push({
      work: name,
      measured: `${number(count / 2 ** 20 / seconds)} MB/s`,
      floor: '',
      ratio: `${number(peak - idle)} MB over idle`,
      target: '< 100 MB over idle',
    })
  }
  return rows
}

/** S3 as versitygw plays it, 20 ms away where time counts. */
export async function measureStorages(): Promise<Row[]> {
  await using temp = await tempDir()
  await using bucket = await openService(temp.path)
  const migrations: Row[] = []
  for (const move of moves) migrations.push(...(await measureMigration(bucket, temp.path, move)))
  return [
    ...migrations,
    ...(await measureBigObject(bucket, temp.path)),
    ...(await measureListing(bucket, temp.path)),
  ]
}
