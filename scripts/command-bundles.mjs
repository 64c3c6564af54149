// dist/bundle: commands, library and threads in a few dozen files. Out of a thousand small ones, of which oclif, knex and
// the AWS SDK have most, a command takes twice as long to start. Whatever is not in `inside` stays a package of its own.
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join, relative, sep} from 'node:path'
import {librariesOf, licencesOf} from './libraries.mjs'

/** Packages that are bundled, with what they need: many small files without native parts, loaded by many commands. */
const inside = [
  ...['@oclif/core', 'knex', '@smithy/node-http-handler', 'http-proxy-agent', 'https-proxy-agent'],
  ...['@aws-sdk/client-dynamodb', '@aws-sdk/client-iam', '@aws-sdk/client-lambda', '@aws-sdk/client-s3'],
  ...['@aws-sdk/client-secrets-manager', '@aws-sdk/client-sqs', '@aws-sdk/lib-storage'],
  ...['@renovatebot/pep440', '@streamparser/json', 'lru-cache', 'ora', 'p-limit', 'proper-lockfile'],
]
/** What those try to load and do without. */
const neverThere = [
  ...['typescript', 'ts-node', 'aws-crt', '@aws-sdk/signature-v4-crt'],
  ...[
    'sqlite3',
    'mysql',
    'mariadb',
    'mariadb/callback',
    'oracledb',
    'tedious',
    'pg-native',
    'pg-query-stream',
  ],
]
/** What most commands need, and it is small: every entry loads it, so that it becomes one file and not sixty. */
const base = [
  ...[
    'aws-retries',
    'backends',
    'config/config',
    'python-json',
    'cache/cache',
    'cache/search',
    'index/notes',
  ],
  ...[
    'packaging/dist-file',
    'packaging/filenames',
    'packaging/versions',
    'sql/database',
    'sql/failures',
    'sql/url',
  ],
  ...['sql/server-pool', 'storage/block-reader', 'storage/byte-budget', 'storage/fit-metadata'],
  ...['storage/package-storage', 'storage/file/errors', 'tasks/rebuild/doubles', 'tasks/rebuild/merge'],
]
const threads = {
  'list-worker': 'src/lib/storage/file/list-worker.js',
  'password-worker': 'src/lib/access/passwords/worker.js',
}

export async function writeCommandBundles(root) {
  const {build} = await import('esbuild')
  const dist = join(root, 'dist')
  const out = join(dist, 'bundle')
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = {
    run: 'src/lib/terminal/run.js',
    index: 'src/lib/index.js',
    contracts: 'test/contracts/index.js',
    'cache-worker': 'test/contracts/cache-worker.js',
    'server-worker': 'src/lib/server/worker.js',
    ...commandsIn(dist),
  }
  const places = new Map(
    Object.entries({...entries, ...threads}).map(([name, path]) => [join(dist, path), name]),
  )
  const options = {
    absWorkingDir: root,
    outdir: out,
    bundle: true,
    legalComments: 'none', // they are in LICENSES.txt
    minifySyntax: true,
    minifyWhitespace: true, // what isn't there needs no reading: a tenth of the time that a command takes to start
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['module'],
    mainFields: ['module', 'main'],
    chunkNames: '[name]-[hash]',
    banner: {js: banner},
    define: {__filename: 'ppcFilename', __dirname: 'ppcDirname'},
    external: [
      ...Object.keys({...manifest.dependencies, ...manifest.optionalDependencies}),
      ...neverThere,
    ].filter(name => !inside.includes(name)),
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
  }
  const inDist = paths =>
    Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, join(dist, path)]))
  rmSync(out, {recursive: true, force: true})
  mkdirSync(out, {recursive: true})
  const results = await Promise.all([
    build({
      ...options,
      entryPoints: inDist(entries),
      splitting: true,
      plugins: [ownModules(dist, places, entriesIn(dist, Object.values(entries)))],
    }),
    build({...options, entryPoints: inDist(threads), plugins: [ownModules(dist, places, new Set())]}),
  ])
  for (const path of filesIn(out)) makeOneByte(join(out, path))
  const inputs = Object.assign({}, ...results.map(({metafile}) => metafile.inputs))
  writeFileSync(join(out, 'LICENSES.txt'), licencesOf(librariesOf({inputs}, root), root))
}

/** V8 keeps a text with one character beyond Latin-1 in twice the memory, and a dash in a comment is enough for that. */
function makeOneByte(path) {
  const code = readFileSync(path, 'utf8')
  const plain = code.replace(/^\s*\/\/.*$/gm, comment => comment.replace(/[^\0-\xff]/g, '-'))
  if (plain !== code) writeFileSync(path, plain)
}

/** Free names of CommonJS. */
const banner = `import {createRequire as ppcRequire} from 'node:module'
import {dirname as ppcDirnameOf} from 'node:path'
import {fileURLToPath as ppcPath} from 'node:url'
const require = ppcRequire(import.meta.url), ppcFilename = ppcPath(import.meta.url), ppcDirname = ppcDirnameOf(ppcFilename)`

/** `command-user-create` for commands/user/create.js. */
const commandsIn = dist =>
  Object.fromEntries(
    filesIn(join(dist, 'src/commands')).map(path => [bundleOfCommand(path), `src/commands/${path}`]),
  )
/** The name of the bundle of a command. @param path of its file below src/commands */
export const bundleOfCommand = path => `command-${path.replace(/\.js$/, '').replaceAll(sep, '-')}`

const filesIn = folder =>
  readdirSync(folder, {recursive: true, encoding: 'utf8'}).filter(path => path.endsWith('.js'))

/** Where a part of the program begins that is loaded as a whole: entries, and what our modules import on demand. */
function entriesIn(dist, entries) {
  const found = new Set(entries.map(path => join(dist, path)))
  for (const path of filesIn(join(dist, 'src'))) {
    const code = readFileSync(join(dist, 'src', path), 'utf8')
    for (const [, target] of code.matchAll(/\bimport\('(\.[^']+)'\)/g))
      found.add(join(dist, 'src', path, '..', target))
  }
  return found
}

/**
 * Our compiled modules: entries load the base first, and a module still finds what lies beside it, although its code ends
 * up in some file of dist/bundle: another entry there, everything else from where the module was.
 */
const ownModules = (dist, places, entries) => ({
  name: 'own-modules',
  setup(build) {
    const here = join(dist, 'bundle')
    build.onLoad({filter: /\.js$/}, ({path}) => {
      if (!path.startsWith(dist)) return undefined
      const own = JSON.stringify(urlPath(relative(here, path)))
      const contents = readFileSync(path, 'utf8').replaceAll(
        /new URL\('(\.[^']+)', import\.meta\.url\)|import\.meta\.url/g,
        (code, target) => {
          const name = target && places.get(join(path, '..', target))
          return name
            ? `new URL('./${name}.js', import.meta.url)`
            : code.replace('import.meta.url', `new URL(${own}, import.meta.url).href`)
        },
      )
      return {contents: entries.has(path) ? `import 'ppc-base';${contents}` : contents, loader: 'js'}
    })
    build.onResolve({filter: /^ppc-base$/}, () => ({path: 'base', namespace: 'ppc-base'}))
    build.onLoad({filter: /^base$/, namespace: 'ppc-base'}, () => ({
      contents: base.map(name => `import './src/lib/${name}.js'`).join('\n'),
      resolveDir: dist,
    }))
  },
})

const urlPath = path => path.replaceAll(sep, '/')
