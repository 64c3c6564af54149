import {apiVersion} from './markup.js'
import type {FileDetail, ProjectDetail} from './project-detail.js'

/** PEP 691, with what PEP 700, 714, 740 and 792 add. */
export function renderProjectJson({name, status, versions, files}: ProjectDetail): string {
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
  return `${head.slice(0, -1)},"files":[${files.map(fileText).join(',')}]}`
}

/** Of the ten thousand files of a page, few are others than those of the page before. */
const texts = new WeakMap<FileDetail, string>()
function fileText(file: FileDetail): string {
  let text = texts.get(file)
  if (text === undefined) texts.set(file, (text = JSON.stringify(fileJson(file))))
  return text
}

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
