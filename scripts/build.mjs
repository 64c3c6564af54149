// Makes dist/ and oclif.manifest.json: compiles, then writes what the launchers and shells read without loading oclif.
// Quiet when all is well. An installed package has no compiler and no sources, and needs neither.
import {spawnSync} from 'node:child_process'
import {existsSync, readdirSync, rmSync} from 'node:fs'
import {createRequire} from 'node:module'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

if (existsSync(join(root, 'src')) && !process.argv.includes('--no-compile')) {
  if (compile()) {
    removeOrphans()
    await writeBundles()
  }
}
const {writeCommandTexts} = await import('./command-texts.mjs')
await writeCommandTexts(root)

/** @returns {boolean} false where there is no compiler, and what was built before stays */
function compile() {
  let compiler
  try {
    compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  } catch {
    if (existsSync(join(root, 'dist/bundle'))) return false // `npm ci --omit=dev` in a clone that was built before
    console.error('build: typescript is missing: run "npm ci" without --omit=dev')
    process.exit(1)
  }
  const {status} = spawnSync(process.execPath, [compiler], {cwd: root, stdio: 'inherit'})
  if (status !== 0) process.exit(status ?? 1)
  return true
}

async function writeBundles() {
  const {writeCommandBundles} = await import('./command-bundles.mjs')
  const {writeLambdaBundles} = await import('./lambda-bundles.mjs')
  await Promise.all([writeCommandBundles(root), writeLambdaBundles(root)])
}

/** What was compiled from a source that is gone would still be found: as a command, or as a test. */
function removeOrphans() {
  for (const part of ['src', 'test', 'bench']) {
    const folder = join(root, 'dist', part)
    if (!existsSync(folder)) continue
    for (const path of readdirSync(folder, {recursive: true, encoding: 'utf8'})) {
      const source = path.match(/^(.*?)(?:\.d\.ts|\.js\.map|\.js)$/)?.[1]
      if (source !== undefined && !existsSync(join(root, part, `${source}.ts`))) rmSync(join(folder, path))
    }
  }
}
