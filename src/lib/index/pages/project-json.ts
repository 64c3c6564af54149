import {JoinedBytes} from './joined-bytes.js'
import {apiVersion} from './markup.js'
import type {FileDetail, ProjectDetail} from './project-detail.js'

/** PEP 691, with what PEP 700, 714, 740 and 792 add. */
export function renderProjectJson({name, status, versions, files}: ProjectDetail): Buffer {
  // 1.1 and later demand every size.
  const sizesKnown = files.every(({size}) => size !== undefined)
  const head = JSON.stringify({
    meta: {'api-version': sizesKnown ? apiVersion : '1.0'},
    name,
    ...(status && {
      'project-status': {status: status.state, ...(status.reason !== undefined && {reason: status.reason})},
    }),
    versions,
  })
  return joined.join(`${head.slice(0, -1)},"files":[`, files, ']}')
}

const joined = new JoinedBytes<FileDetail>(file => JSON.stringify(fileJson(file)), ',')

const fileJson = (file: FileDetail) => ({
  filename: file.filename,
  url: file.url,
  hashes: file.sha256 === undefined ? {} : {sha256: file.sha256},
  ...(file.requiresPython !== undefined && {'requires-python': file.requiresPython}),
  size: file.size,
  'upload-time': file.uploadTime,
  yanked: file.yanked === undefined ? false : file.yanked || true,
  // Not `dist-info-metadata` as well: pip of 2023 takes that for something else in JSON.
  ...(file.coreMetadata !== undefined && {'core-metadata': {sha256: file.coreMetadata}}),
  provenance: file.provenance ?? null,
})
