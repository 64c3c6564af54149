import {createHash, randomUUID} from 'node:crypto'

export interface FormPart {
  readonly name: string
  readonly value: string | Buffer
  readonly filename?: string
}

/** A multipart body and its header. */
export function formOf(parts: readonly FormPart[]): {payload: Buffer; headers: Record<string, string>} {
  const boundary = randomUUID()
  const chunks = parts.flatMap(({name, value, filename}) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`
    const type = filename === undefined ? '' : 'Content-Type: application/octet-stream\r\n'
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${type}\r\n`
    return [Buffer.from(head), Buffer.from(value), Buffer.from('\r\n')]
  })
  return {
    payload: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    headers: {'content-type': `multipart/form-data; boundary=${boundary}`},
  }
}

/** What twine sends: the fields, then the file. */
export function uploadForm(
  file: {readonly filename: string; readonly bytes: Buffer},
  fields: Readonly<Record<string, string>>,
) {
  return formOf([
    ...Object.entries({
      ':action': 'file_upload',
      protocol_version: '1',
      sha256_digest: createHash('sha256').update(file.bytes).digest('hex'),
      ...fields,
    }).map(([name, value]) => ({name, value})),
    {name: 'content', value: file.bytes, filename: file.filename},
  ])
}
