// What every bin shares. --help and --version are answered from files that the build wrote, before anything loads.
import {existsSync, readFileSync} from 'node:fs'
import {getSystemErrorMap} from 'node:util'

const file = path => new URL(`../${path}`, import.meta.url)
const helpFile = words => file(`dist/help/${words.join('/')}.txt`)

/**
 * Runs one command under the name of its bin; `ppc` has no command of its own: leading words name it, `ppc user create`.
 * @param {string} bin
 * @param {string} [command] its file below src/commands
 */
export async function launch(bin, command) {
  const name = command ? [bin] : [bin, ...leadingWords(bin)]
  const args = process.argv.slice(name.length + 1)
  const answer = staticAnswer(name, args, command ?? name.slice(1).join('/'))
  if (answer !== undefined) {
    process.stdout.on('error', error => process.exit(outputFailed(name.join(' '), error)))
    process.stdout.write(answer)
  } else if (existsSync(file('dist/bundle/run.js'))) {
    const {runCommand} = await import('../dist/bundle/run.js')
    await runCommand({program: name.join(' '), command: command ?? name.slice(1).join(':'), args})
  } else {
    process.stderr.write(`${bin}: this copy is not built: run "npm run build" in it\n`)
    process.exitCode = 1
  }
}

/** A reader that went away (`ppc --help | head -1`) is no failure. @returns the exit code */
function outputFailed(program, {code, errno, message}) {
  if (code === 'EPIPE') return 0
  const [, meaning = message] = getSystemErrorMap().get(errno) ?? []
  process.stderr.write(`${program}: can't write "/dev/stdout": ${meaning}\n`)
  return 1
}

/** Of the command line, as many words as name a command or a topic: those have a help text. */
function leadingWords(bin) {
  if (process.argv[2] === 'help') process.argv.splice(2, 1, ...process.argv.slice(3), '--help')
  const words = process.argv.slice(2)
  const other = words.findIndex(
    (word, index) =>
      !/^[a-z][a-z0-9-]*$/.test(word) || !existsSync(helpFile([bin, ...words.slice(0, index + 1)])),
  )
  return other < 0 ? words : words.slice(0, other)
}

/** @returns {string | undefined} */
function staticAnswer(name, args, command) {
  const end = args.indexOf('--')
  const options = end < 0 ? args : args.slice(0, end)
  // `ppc` and `ppc user` alone have nothing to run; a misspelt command must not be answered by the help of all.
  const isGroup = !command || !existsSync(file(`dist/bundle/command-${command.replaceAll('/', '-')}.js`))
  const asked = options.includes('--help') || options.includes('-h')
  if (isGroup ? args.length === 0 || (asked && args[0].startsWith('-')) : asked) {
    return existsSync(helpFile(name)) ? readFileSync(helpFile(name), 'utf8') : undefined
  }
  if (args[0] !== '--version') return undefined
  const {name: product, version} = JSON.parse(readFileSync(file('package.json'), 'utf8'))
  return `${product} ${version}\n`
}
