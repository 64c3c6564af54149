// Runs compiled tests once more on a newer Node, which the package registry has as a package: node-PLATFORM-ARCH,
// with its headers. Native modules are built for it in a copy of node_modules below .cache/newer-node. Run as a program it
// does only that, so that it need not be waited for later.
import {execFileSync, spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {delimiter, join} from 'node:path'
import {fileURLToPath} from 'node:url'

const major = 26
/** Tells scripts/test.mjs that it is the one here. */
export const secondRun = '--second-run'
const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, '.cache', 'newer-node')
const platformPackage = `node-${process.platform}-${process.arch}`
const installed = join(home, 'node_modules', platformPackage)
const tree = join(home, 'tree')

/** @returns {string | undefined} the path of the newer node, or undefined when the registry does not give it */
export function fetchNewerNode() {
  const node = join(installed, 'bin', 'node')
  if (!existsSync(node)) {
    mkdirSync(home, {recursive: true})
    writeFileSync(join(home, 'package.json'), '{"private": true}\n')
    const args = [
      'install',
      '--silent',
      '--no-audit',
      '--ignore-scripts',
      '--no-save',
      `${platformPackage}@${major}`,
    ]
    spawnSync('npm', args, {cwd: home, stdio: 'inherit'})
  }
  return existsSync(node) ? node : undefined
}

/** Copies the built tree and rebuilds native modules for `node`, unless that was done for this lock file already. */
export function prepareTree(node) {
  const env = {
    ...process.env,
    PATH: join(installed, 'bin') + delimiter + process.env.PATH,
    npm_config_nodedir: installed,
    NODE_COMPILE_CACHE: join(home, 'compiled'), // hundreds of processes load the same modules
  }
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(tree, 'node_modules', '.built-for')
  const wanted = `${execFileSync(node, ['--version'], {encoding: 'utf8'}).trim()} ${lock}`
  mkdirSync(tree, {recursive: true})
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(join(tree, 'node_modules'), {recursive: true, force: true})
    cpSync(join(root, 'node_modules'), join(tree, 'node_modules'), {recursive: true, verbatimSymlinks: true})
    for (const file of ['package.json', 'package-lock.json', '.npmrc'])
      cpSync(join(root, file), join(tree, file))
    execFileSync('npm', ['rebuild', '--silent', 'better-sqlite3', 'zlib-sync'], {
      cwd: tree,
      env: {...env, CFLAGS: '-O1'}, // SQLite takes a minute more with -O3
      stdio: 'inherit',
    })
    writeFileSync(stamp, wanted)
  }
  for (const name of [
    'package.json',
    'bin',
    'dist',
    'scripts',
    'src',
    'test',
    'README.md',
    'oclif.manifest.json',
  ]) {
    rmSync(join(tree, name), {recursive: true, force: true})
    if (existsSync(join(root, name)))
      cpSync(join(root, name), join(tree, name), {recursive: true, preserveTimestamps: true})
  }
  mkdirSync(join(tree, '.cache'), {recursive: true})
  rmSync(join(tree, '.cache', 'test-tools'), {force: true})
  symlinkSync(join(root, '.cache', 'test-tools'), join(tree, '.cache', 'test-tools'))
  return {tree, env}
}

/** Runs the tests there. @returns {{passed: number, failed: number, skipped: number} | {reason: string}} */
export function testOnNewerNode() {
  const node = fetchNewerNode()
  if (node === undefined)
    return {reason: `no ${platformPackage}@${major} to be had from the package registry`}
  const prepared = prepareTree(node)
  console.log(`\nonce more on Node ${major}:`)
  const done = spawnSync(node, ['scripts/test.mjs', secondRun], {
    cwd: prepared.tree,
    env: prepared.env,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1e9,
  })
  process.stdout.write(done.stdout)
  const counted = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(done.stdout)
  if (!counted) return {passed: 0, failed: 1, skipped: 0}
  return {passed: Number(counted[1]), failed: Number(counted[2]), skipped: Number(counted[3])}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const node = fetchNewerNode()
  if (node !== undefined) prepareTree(node)
}
