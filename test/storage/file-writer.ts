/** Puts files, new and over others, until it is killed: `file-writer DIRECTORY ROUND`. */
import {createHash, randomBytes} from 'node:crypto'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {bodyOf} from '../contracts/object-store.js'

const [directory = '', round = ''] = process.argv.slice(2)
const storage = new PackageStorage(await openDirectory(directory))
process.send?.('ready')
const write = async (filename: string, replace: boolean) => {
  const bytes = randomBytes(50_000)
  const data = {hash_sha256: createHash('sha256').update(bytes).digest('hex')}
  const file = {filename, name: 'foo', version: '1.0', lastModified: new Date(), summary: null, data}
  await storage.put(file, bodyOf(bytes), {replace})
}
for (let count = 0; ; count += 1) {
  await Promise.all([
    write(`new-${round}-${count}.zip`, false),
    write(`replaced-${count % 3}-${round}.zip`, true),
  ])
}
