// dist/lambda: what ppc-build-lambda-bundle puts into its zip, one module for each cache. Made at build time, so that an
// installed package needs no bundler, works offline, and gives everybody the same bytes.
import {createHash} from 'node:crypto'
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {librariesOf} from './libraries.mjs'

/**
 * What our modules load on demand, and bundles may need. All else that they would load stays out: other backends. `absent`
 * is the driver that only other bundles have.
 */
const secrets = '@aws-sdk/client-secrets-manager'
const s3 = './sdk.js'
const parts = {
  dynamo: {wanted: [secrets, s3], absent: []},
  redis: {wanted: [secrets, s3], absent: []},
  postgresql: {wanted: [secrets, s3, './postgresql.js'], absent: ['mysql2']},
  mysql: {wanted: [secrets, s3, './mysql.js'], absent: ['pg']},
}
/** Of knex's many drivers, and what pg and others try to load and do without. */
const neverThere = [
  ...['better-sqlite3', 'sqlite3', 'mysql', 'mariadb', 'mariadb/callback', 'oracledb', 'tedious'],
  ...['pg-query-stream', 'pg-native', 'aws-crt', '@aws-sdk/signature-v4-crt'],
]

export async function writeLambdaBundles(root) {
  const {build} = await import('esbuild')
  const entries = join(root, 'dist/src/lib/lambda/entries')
  const out = join(root, 'dist/lambda')
  rmSync(out, {recursive: true, force: true})
  mkdirSync(out, {recursive: true})
  const kinds = readdirSync(entries).flatMap(file => file.match(/^(\w+)\.js$/)?.[1] ?? [])
  await Promise.all(kinds.map(kind => writeBundle(kind)))

  async function writeBundle(kind) {
    const {outputFiles, metafile} = await build({
      entryPoints: [join(entries, `${kind}.js`)],
      absWorkingDir: root,
      bundle: true,
      minify: true,
      keepNames: true, // names of errors are looked at
      legalComments: 'none',
      platform: 'node',
      target: 'node20',
      format: 'esm',
      conditions: ['module'],
      mainFields: ['module', 'main'],
      banner: {js: banner},
      external: [...neverThere, ...parts[kind].absent],
      plugins: [onlyWanted(parts[kind].wanted)],
      metafile: true,
      write: false,
    })
    const code = outputFiles[0].contents
    const {name, version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const manifest = {
      name,
      version,
      cache: kind,
      handler: 'lambda_script.handle_s3_event',
      runtimes: ['nodejs24.x', 'nodejs22.x', 'nodejs20.x'],
      sha256: createHash('sha256').update(code).digest('hex'),
      libraries: Object.fromEntries(librariesOf(metafile, root).map(({name, version}) => [name, version])),
    }
    writeFileSync(join(out, `${kind}.mjs`), code)
    writeFileSync(join(out, `${kind}.json`), `${JSON.stringify(manifest, undefined, 2)}\n`)
  }
}

/** For what is CommonJS inside. */
const banner = `import {createRequire as ppcRequire} from 'node:module'
import {dirname as ppcDirname} from 'node:path'
import {fileURLToPath as ppcPath} from 'node:url'
const require = ppcRequire(import.meta.url), __filename = ppcPath(import.meta.url), __dirname = ppcDirname(__filename)`

const onlyWanted = names => ({
  name: 'only-wanted',
  setup(build) {
    build.onResolve({filter: /^/}, ({path, kind, importer}) =>
      kind === 'dynamic-import' && importer.includes('/dist/src/') && !names.includes(path)
        ? {path, external: true}
        : undefined,
    )
  },
})
