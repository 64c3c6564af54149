import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import yauzl from 'yauzl'
import type {LambdaResult} from '../../src/lib/lambda/handler.js'
import {tool} from '../commands/tool.js'

/** A line that a function writes about one thing that it heard. */
export interface LogLine {
  readonly level: string
  readonly message: string
  readonly key?: string
  readonly reason?: string
  readonly sealed?: boolean
  readonly requestId?: string
}
export interface Invoked {
  /** Of each event: what the handler gave, or the message of what it threw. */
  readonly results: readonly (LambdaResult | {readonly thrown: string})[]
  readonly log: readonly LogLine[]
}

/** Unpacks a zip of ours. @returns its entries. */
export async function unpack(zip: string, into: string): Promise<string[]> {
  const file = await yauzl.openPromise(zip)
  const names: string[] = []
  for await (const entry of file.eachEntry()) {
    const stream = await file.openReadStreamPromise(entry)
    await writeFile(join(into, entry.fileName), stream)
    names.push(entry.fileName)
  }
  return names
}

/** Builds the bundle of `server.ini` in `directory` and unpacks it there. */
export async function buildFunction(directory: string): Promise<void> {
  const {code, stderr} = await tool(directory, 'ppc-build-lambda-bundle server.ini -o bundle.zip')
  assert.equal(code, 0, stderr)
  await unpack(join(directory, 'bundle.zip'), directory)
}

/** As AWS does it: a module that nothing else is beside, events one after the other. */
const runner = `
import {readFileSync, writeSync} from 'node:fs'
const {module, events, context} = JSON.parse(readFileSync(0, 'utf8'))
const {handle_s3_event: handle} = await import(module)
const left = context.leftMs === undefined ? {} : {getRemainingTimeInMillis: () => context.leftMs}
const results = []
for (const event of events) {
  try { results.push(await handle(event, {awsRequestId: 'request-1', ...left})) }
  catch (error) { results.push({thrown: error.message}) }
}
writeSync(3, JSON.stringify(results))
process.exit(0)
`

/** Runs the unpacked function of `directory` in a process of its own, which has nothing but these settings. */
export function invoke(
  directory: string,
  settings: Readonly<Record<string, string>> | string,
  events: readonly unknown[],
  {leftMs, env = {}}: {leftMs?: number; env?: Record<string, string>} = {},
): Promise<Invoked> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', runner], {
      cwd: '/',
      env: {
        PYPICLOUD_SETTINGS: typeof settings === 'string' ? settings : JSON.stringify(settings),
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    })
    const texts = {stdout: '', stderr: '', results: ''}
    const [, stdout, stderr, results] = child.stdio
    stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text))
    stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text))
    results?.on('data', (bytes: Buffer) => (texts.results += bytes.toString('utf8')))
    child.on('error', reject)
    child.on('close', code => {
      if (code !== 0 || texts.stderr !== '') {
        reject(new Error(`the function ended with ${String(code)}: ${texts.stderr}`))
        return
      }
      const lines = texts.stdout.split('\n').filter(line => line !== '')
      resolve({
        results: JSON.parse(texts.results) as Invoked['results'],
        log: lines.map(line => JSON.parse(line) as LogLine),
      })
    })
    const module = join(directory, 'lambda_script.mjs')
    child.stdin.end(JSON.stringify({module, events, context: {leftMs}}))
  })
}
