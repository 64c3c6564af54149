import {spawn} from 'node:child_process'

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What makes a second start of the same program quicker, where the run has it. */
const {NODE_COMPILE_CACHE = ''} = process.env
const compileCache: Record<string, string> = NODE_COMPILE_CACHE === '' ? {} : {NODE_COMPILE_CACHE}

/**
 * Runs a program to its end. The environment is a clean one: no configuration of pip, uv or twine leaks in from the
 * person's machine, and nothing is looked up outside of loopback.
 */
export function runProgram(
  command: string,
  args: readonly string[],
  options: {cwd: string; env?: Record<string, string>; input?: string; timeoutSeconds?: number},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: options.cwd,
        LANG: 'C.UTF-8',
        PIP_CONFIG_FILE: '/dev/null',
        PIP_DISABLE_PIP_VERSION_CHECK: '1',
        PIP_NO_CACHE_DIR: '1',
        UV_NO_CONFIG: '1',
        UV_PYTHON_DOWNLOADS: 'never',
        PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
        ...compileCache,
        ...options.env,
      },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdin?.end(options.input)
    const timer = setTimeout(() => child.kill('SIGKILL'), (options.timeoutSeconds ?? 120) * 1000)
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(timer)
      resolve({code, stdout, stderr})
    })
  })
}
