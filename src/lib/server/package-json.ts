import {fileAddress} from '../index/pages/markup.js'
import type {DistFile} from '../packaging/dist-file.js'
import type {Json} from '../python-json.js'

/**
 * pypicloud's description of one file: in lists, and in the answer to an upload.
 * @param root URL of the application, without a slash at its end.
 */
export function packageJson(file: DistFile, root: string): Json {
  const {requires_python, hash_sha256, hash_md5, uploader} = file.data
  return {
    name: file.name,
    filename: file.filename,
    last_modified: unixSeconds(file.lastModified),
    version: file.version,
    url: fileAddress(file, `${root}/`) + (hash_sha256 === undefined ? '' : `#sha256=${hash_sha256}`),
    summary: file.summary,
    metadata: {requires_python, hash_sha256, hash_md5, uploader, summary: file.summary ?? undefined},
  }
}

export const unixSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)
