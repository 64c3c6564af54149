import {createHash} from 'node:crypto'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {buffer} from 'node:stream/consumers'
import {gzipSync} from 'node:zlib'
import {pack} from 'tar-stream'
import {ZipFile} from 'yazl'

export interface PackageOptions {
  readonly name: string
  readonly version: string
  readonly requiresPython?: string
  readonly summary?: string
  readonly requiresDist?: readonly string[]
  readonly description?: string
  /** Further files by path, for sdists below the root. A number: so many bytes that don't compress. */
  readonly files?: Readonly<Record<string, string | Buffer | number>>
}

export interface BuiltFile {
  readonly filename: string
  readonly bytes: Buffer
}

/** Zip stores local time, so this is one instant everywhere. */
const fixedDate = new Date(2020, 0, 1)

/** The same options give the same bytes. pip and uv install it; it holds the module `name` with `__version__`. */
export async function buildWheel(options: PackageOptions & {readonly build?: string}): Promise<BuiltFile> {
  const name = fileSpelling(options.name)
  const info = `${name}-${options.version}.dist-info`
  const files = new Map<string, Buffer>([
    [`${name}/__init__.py`, Buffer.from(`__version__ = ${JSON.stringify(options.version)}\n`)],
    ...extraFiles(options),
    [`${info}/METADATA`, Buffer.from(coreMetadata(options))],
    [
      `${info}/WHEEL`,
      Buffer.from('Wheel-Version: 1.0\nGenerator: ppc-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
    ],
  ])
  const record = [...files].map(([path, bytes]) => {
    const digest = createHash('sha256').update(bytes).digest('base64url')
    return `${path},sha256=${digest},${bytes.length}\n`
  })
  files.set(`${info}/RECORD`, Buffer.from(`${record.join('')}${info}/RECORD,,\n`))
  const build = options.build === undefined ? '' : `-${options.build}`
  return {filename: `${name}-${options.version}${build}-py3-none-any.whl`, bytes: await buildZip(files)}
}

/** A `.tar.gz` or `.zip` with PKG-INFO, `pyproject.toml` and the module; building it needs setuptools. */
export async function buildSdist(
  options: PackageOptions & {readonly format?: 'tar.gz' | 'zip'},
): Promise<BuiltFile> {
  const {format = 'tar.gz'} = options
  const name = fileSpelling(options.name)
  const root = `${name}-${options.version}`
  const project =
    `[project]\nname = ${JSON.stringify(options.name)}\nversion = ${JSON.stringify(options.version)}\n` +
    (options.requiresPython === undefined
      ? ''
      : `requires-python = ${JSON.stringify(options.requiresPython)}\n`)
  const files = new Map<string, Buffer>(
    [
      ['PKG-INFO', Buffer.from(coreMetadata(options))] as const,
      ['pyproject.toml', Buffer.from(project)] as const,
      [`${name}/__init__.py`, Buffer.from(`__version__ = ${JSON.stringify(options.version)}\n`)] as const,
      ...extraFiles(options),
    ].map(([path, bytes]) => [`${root}/${path}`, bytes]),
  )
  return {
    filename: `${root}.${format}`,
    bytes: format === 'zip' ? await buildZip(files) : gzipSync(await buildTar(files)),
  }
}

/** Writes what was built into a directory, which is made if need be. Gives the path. */
export async function writeBuilt(directory: string, built: BuiltFile | Promise<BuiltFile>): Promise<string> {
  const {filename, bytes} = await built
  await mkdir(directory, {recursive: true})
  const path = join(directory, filename)
  await writeFile(path, bytes)
  return path
}

/** METADATA or PKG-INFO of these options. */
export const coreMetadata = (options: PackageOptions): string =>
  [
    'Metadata-Version: 2.1',
    `Name: ${options.name}`,
    `Version: ${options.version}`,
    ...(options.summary === undefined ? [] : [`Summary: ${options.summary}`]),
    ...(options.requiresPython === undefined ? [] : [`Requires-Python: ${options.requiresPython}`]),
    ...(options.requiresDist ?? []).map(requirement => `Requires-Dist: ${requirement}`),
    ...(options.description === undefined ? [] : ['', options.description]),
  ].join('\n') + '\n'

/** A zip of these entries, in this order. */
export async function buildZip(files: Iterable<readonly [path: string, bytes: Buffer]>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [path, bytes] of files)
    zip.addBuffer(bytes, path, {mtime: fixedDate, forceDosTimestamp: true, mode: 0o100644})
  zip.end()
  return buffer(zip.outputStream)
}

/** An uncompressed tar of these entries, in this order. */
export async function buildTar(files: Iterable<readonly [path: string, bytes: Buffer]>): Promise<Buffer> {
  const tar = pack()
  const whole = buffer(tar)
  for (const [name, bytes] of files) tar.entry({name, mtime: new Date(1577836800_000)}, bytes)
  tar.finalize()
  return whole
}

/** As wheels and PEP 625 want names. */
const fileSpelling = (name: string): string => name.replace(/[-_.]+/g, '_').toLowerCase()

const extraFiles = ({files = {}}: PackageOptions): [string, Buffer][] =>
  Object.entries(files).map(([path, content]) => [
    path,
    typeof content === 'number' ? incompressible(content) : Buffer.from(content),
  ])

/** The same bytes each time. */
function incompressible(size: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(size / 32) * 32)
  let block = createHash('sha256').update('ppc').digest()
  for (let offset = 0; offset < bytes.length; offset += 32) {
    block = createHash('sha256').update(block).digest()
    block.copy(bytes, offset)
  }
  return bytes.subarray(0, size)
}
