import {execFile, spawn} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {promisify} from 'node:util'
import {readConfig} from '../src/lib/config/config.js'
import {PackageStorage} from '../src/lib/storage/package-storage.js'
import {openS3Store} from '../src/lib/storage/s3/s3.js'
import {openDynamoCache} from '../src/lib/cache/dynamo/dynamo.js'
import {bodyOf} from '../test/contracts/object-store.js'
import {s3Event, s3Record} from '../test/lambda/events.js'
import {unpack} from '../test/lambda/function.js'
import {startService} from '../test/services/index.js'
import {tempDir} from '../test/support/temp.js'
import {median, number, timed, type Row} from './report.js'
import {iniWith, runTool} from './tools.js'

const run = promisify(execFile)
const rounds = 9

/** Begins when the process is asked for, and ends when the first record is in the cache: as long as AWS waits after a cold start. */
const program = `
const {handle_s3_event} = await import(process.env.MODULE)
await handle_s3_event(JSON.parse(process.env.EVENT))
process.exit(0)
`

/** The bundle for DynamoDB on emulators of this machine: what is measured is the function, not the way to AWS. */
export async function measureLambda(): Promise<Row[]> {
  await using temp = await tempDir()
  await using s3 = await startService('versitygw')
  await using dynamo = await startService('ministack')
  const settings = {
    'pypi.storage': 's3',
    'storage.bucket': 'packages',
    'storage.endpoint_url': s3.url,
    'storage.region_name': 'us-east-1',
    'storage.aws_access_key_id': s3.accessKeyId,
    'storage.aws_secret_access_key': s3.secretAccessKey,
    'pypi.db': 'dynamo',
    'db.region_name': 'us-east-1',
    'db.host': '127.0.0.1',
    'db.port': new URL(dynamo.url).port,
    'db.aws_access_key_id': 'AKIDEXAMPLE',
    'db.aws_secret_access_key': 'secret',
  }
  const path = temp.join('server.ini')
  await writeFile(path, iniWith(settings))
  await runTool('build-lambda-bundle', [path, '-o', temp.join('bundle.zip'), '--quiet'])
  await unpack(temp.join('bundle.zip'), temp.path)
  const config = await readConfig(path)
  await using cache = await openDynamoCache(config) // makes the tables
  await using store = await openS3Store(config)
  const storage = new PackageStorage(store)

  const first: number[] = []
  const floor: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const [name, version] = ['bench', `1.${round}`]
    const filename = `${name}-${version}.tar.gz`
    const file = {name, version, filename, lastModified: new Date(), summary: null, data: {}}
    await storage.put(file, bodyOf(filename), {replace: true})
    const EVENT = JSON.stringify(s3Event(s3Record('packages', storage.keyOf(file))))
    const env = {PYPICLOUD_SETTINGS: JSON.stringify(settings), MODULE: temp.join('lambda_script.mjs'), EVENT}
    floor.push(await timed(() => run(process.execPath, ['-e', '0'])))
    first.push(await timed(() => invokeOnce(env)))
  }
  if ((await cache.countFiles()) !== rounds) throw new Error('the function has not listed every file')
  return [
    {
      work: 'cold start of the DynamoDB Lambda, to the first record in the cache',
      measured: `${number(median(first) * 1000)} ms`,
      floor: `\`node -e 0\` ${number(median(floor) * 1000)} ms`,
      ratio: number(median(first) / median(floor)),
      target: '< 300 ms',
    },
  ]
}

function invokeOnce(env: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: '/',
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    child.on('error', reject)
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`the function ended with ${String(code)}`))
    })
  })
}
