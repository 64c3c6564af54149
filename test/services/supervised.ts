import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {chmod, mkdtemp, readFile, rm} from 'node:fs/promises'
import {connect} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {freePort} from '../support/free-port.js'
import type {Service} from './service.js'

/**
 * Runs a server until stdin ends, which it does when the test closes it and also when the test's process dies of
 * whatever. Then the server and what it has started get the signal, SIGKILL after five seconds, and its directory goes.
 * The supervisor itself says nothing, because a shell that tells a dead reader how its job ended dies of that.
 * $1 the directory, $2 the signal, then the command.
 */
const supervisor = `
directory=$1 signal=$2
shift 2
exec 3<&0
setsid "$@" </dev/null 3<&- &
pid=$!
echo "$pid" >"$directory/pid"
exec >/dev/null 2>&1
(
  read -r _ <&3
  kill -s "$signal" -- "-$pid"
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    kill -0 "$pid" || exit
    sleep 0.2
  done
  kill -s KILL -- "-$pid"
) &
wait "$pid"
status=$?
kill "$!"
rm -rf "$directory"
exit "$status"
`

/** Starts a server again whenever it has ended. $@ the command. */
const keeper = `
while :; do
  "$@" &
  wait "$!"
  sleep 0.1
done
`

/** How long a server may take until it answers. Generous: two cores may start a dozen at once. */
const patienceMs = 90_000

/** How much of a server's output is kept. */
const logLength = 64 * 1024

export interface ServerSetup {
  /** For messages. */
  readonly name: string
  /** Prepares the directory, and returns the command that serves on 127.0.0.1:`port` until it is signalled. */
  command(port: number, directory: string): Promise<readonly string[]> | readonly string[]
  /** Resolves to true when the server on `port` is fit for use. Not rejects: what it throws means "not yet". */
  answers(port: number, directory: string): Promise<boolean>
  /** What asks it to end at once. */
  readonly signal?: 'TERM' | 'INT'
  /** One that ends is started again on its data; `pid` is then that of a shell, whose only child the server is. */
  readonly restarts?: boolean | undefined
}

/** A running server, of which a service is made by giving it a URL. */
export interface RunningServer extends Omit<Service, 'url'> {
  /** Its directory, readable to its own user; gone when it has ended. */
  readonly directory: string
}

/**
 * Starts a server and waits until it answers. It ends with this process at the latest, and doesn't keep it alive.
 * @throws {Error} with the server's own words when it ends before it answers, or doesn't in a minute and a half.
 */
export async function startServer(setup: ServerSetup): Promise<RunningServer> {
  for (let attempt = 1; ; attempt += 1) {
    const started = await tryToStart(setup)
    if (!(started instanceof Error)) return started
    // Somebody else may have taken the port in the moment between finding and using it.
    if (attempt === 3 || !/in use/i.test(started.message)) throw started
  }
}

async function tryToStart(setup: ServerSetup): Promise<RunningServer | Error> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'ppc-service-'))
  await chmod(directory, 0o711) // a server that runs as a user of its own has to get to its data
  let command: readonly string[]
  try {
    command = await setup.command(port, directory)
  } catch (error) {
    await rm(directory, {recursive: true, force: true})
    throw error
  }
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      supervisor,
      setup.name,
      directory,
      setup.signal ?? 'TERM',
      ...(setup.restarts ? ['/bin/sh', '-c', keeper, setup.name] : []),
      ...command,
    ],
    {
      cwd: directory,
      env: {PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: directory, LANG: 'C.UTF-8'},
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // Ctrl-C is for the tests; the supervisor hears of it by their end
    },
  )
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-logLength)))
  }
  const ended = once(child, 'close')
  const close = async () => {
    hold(child, true)
    child.stdin.end()
    await ended
  }
  const failure = await untilItAnswers(child, () => setup.answers(port, directory))
  if (failure !== undefined) {
    await close()
    return new Error(`${setup.name} ${failure}: ${command.join(' ')}\n${log}`)
  }
  const pid = Number(await readFile(join(directory, 'pid'), 'utf8'))
  hold(child, false)
  return {port, directory, pid, log: () => log, [Symbol.asyncDispose]: close}
}

async function untilItAnswers(
  child: ChildProcess,
  answers: () => Promise<boolean>,
): Promise<string | undefined> {
  const giveUpAt = performance.now() + patienceMs
  while (performance.now() < giveUpAt) {
    const up = await answers().catch(() => false)
    if (child.exitCode !== null) return 'ended before it answered'
    if (up) return undefined
    await sleep(50)
  }
  return 'did not answer in time'
}

/** Whether the child keeps this process alive: only while somebody waits for it. */
function hold(child: ChildProcess, held: boolean): void {
  const change = held ? 'ref' : 'unref'
  child[change]()
  for (const stream of child.stdio) {
    const handle = stream as {ref?: () => void; unref?: () => void} | null | undefined
    handle?.[change]?.()
  }
}

/** Whether an HTTP server answers at all, with whatever status. */
export async function answersHttp(port: number, path = '/'): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {signal: AbortSignal.timeout(10_000)})
  await answer.body?.cancel()
  return true
}

/** Whether somebody listens. */
export async function answersTcp(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } finally {
    socket.destroy()
  }
}
