import {JoinedBytes} from './joined-bytes.js'
import {anchor, encodePathSegment, escapeHtml, pageEnd, pageStart} from './markup.js'
import type {FileDetail, ProjectDetail} from './project-detail.js'

/** PEP 503, with what PEP 592, 714, 740 and 792 add. Clients have stumbled over other white space than this. */
export function renderProjectHtml({status, files}: ProjectDetail): Buffer {
  const meta = status
    ? metaLine('pypi:project-status', status.state) +
      (status.reason === undefined ? '' : metaLine('pypi:project-status-reason', status.reason))
    : ''
  return joined.join(`${pageStart('Package Index', meta)}  \n`, files, pageEnd)
}

const joined = new JoinedBytes<FileDetail>(
  file => `    ${anchor(withFragment(file), file.filename, attributesOf(file))}`,
)

const withFragment = ({url, sha256}: FileDetail): string =>
  sha256 === undefined ? url : `${url}#sha256=${encodePathSegment(sha256)}`

const metaLine = (name: string, content: string): string =>
  `  <meta name="${name}" content="${escapeHtml(content)}">\n`

function attributesOf({requiresPython, yanked, coreMetadata, provenance}: FileDetail): string {
  let text = ''
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined) text += ` data-${name}="${escapeHtml(value)}"`
  }
  add('requires-python', requiresPython)
  add('yanked', yanked)
  const digest = coreMetadata === undefined ? undefined : `sha256=${coreMetadata}`
  add('core-metadata', digest)
  add('dist-info-metadata', digest) // as clients of before PEP 714 know it
  add('provenance', provenance)
  return text
}
