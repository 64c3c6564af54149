import type {DistFile} from '../../packaging/dist-file.js'
import {anchor, pageEnd, pageStart, withDigest, type AddressOf} from './markup.js'

/** Some files, and where they are fetched. */
export type LinkedFiles = readonly [files: readonly DistFile[], addressOf: AddressOf]

/** `/packages/`: links to all files, in pieces, since there may be very many. */
export async function* renderAllFiles(
  groups: AsyncIterable<LinkedFiles> | Iterable<LinkedFiles>,
): AsyncGenerator<string> {
  let piece = `${pageStart('All packages')}  \n`
  let isEmpty = true
  for await (const [files, addressOf] of groups) {
    isEmpty &&= files.length === 0
    for (const file of files) piece += `      ${anchor(withDigest(addressOf(file), file), file.filename)}`
    if (piece.length < 1 << 16) continue
    yield piece
    piece = ''
  }
  yield `${piece}${isEmpty ? '    There are no packages\n' : ''}${pageEnd}\n`
}
