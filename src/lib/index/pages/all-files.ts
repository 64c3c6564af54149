import type {DistFile} from '../../packaging/dist-file.js'
import {fileAnchor, pageEnd, pageStart} from './markup.js'

/** `/packages/`: links to all `files`, in pieces, since there may be very many. @param root see `fileAddress`. */
export async function* renderAllFiles(
  files: AsyncIterable<DistFile> | Iterable<DistFile>,
  root: string,
): AsyncGenerator<string> {
  let piece = `${pageStart('All packages')}  \n`
  let isEmpty = true
  for await (const file of files) {
    isEmpty = false
    piece += `      ${fileAnchor(file, root)}`
    if (piece.length < 1 << 16) continue
    yield piece
    piece = ''
  }
  yield `${piece}${isEmpty ? '    There are no packages\n' : ''}${pageEnd}\n`
}
