import {withDigest, type AddressOf} from '../index/pages/markup.js'
import type {DistFile} from '../packaging/dist-file.js'
import type {Json} from '../python-json.js'

/** pypicloud's description of one file: in lists, and in the answer to an upload. @param addressOf gives absolute ones. */
export function packageJson(file: DistFile, addressOf: AddressOf): Json {
  const {requires_python, hash_sha256, hash_md5, uploader} = file.data
  return {
    name: file.name,
    filename: file.filename,
    last_modified: unixSeconds(file.lastModified),
    version: file.version,
    url: withDigest(addressOf(file), file),
    summary: file.summary,
    metadata: {requires_python, hash_sha256, hash_md5, uploader, summary: file.summary ?? undefined},
  }
}

export const unixSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)
