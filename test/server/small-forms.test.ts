import assert from 'node:assert/strict'
import {once} from 'node:events'
import {createServer, request, type IncomingMessage} from 'node:http'
import type {AddressInfo} from 'node:net'
import {describe, it} from 'node:test'
import {text} from 'node:stream/consumers'
import {HttpError} from '../../src/lib/server/http/errors.js'
import {readForm} from '../../src/lib/server/http/form.js'

/** Says what it read of a form. */
async function formReader() {
  const read = async (raw: IncomingMessage) => {
    const files: string[] = []
    const form = await readForm(raw, {
      limit: 200,
      total: 600,
      file: {
        field: 'content',
        take: async ({filename, content}) => {
          const chunks = Buffer.isBuffer(content) ? [content] : await content.toArray()
          files.push(`${filename}: ${Buffer.concat(chunks as Buffer[]).toString('latin1')}`)
        },
      },
    })
    return {fields: [...form.fields], hasFile: form.hasFile, files}
  }
  const server = createServer((raw, response) => {
    read(raw).then(
      form => response.end(JSON.stringify(form)),
      (error: unknown) =>
        response.end(error instanceof HttpError ? `${error.statusCode} ${error.message}` : String(error)),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  return {
    /** @param whole so that its length is known before. */
    async send(body: Buffer, type: string, whole: boolean): Promise<string> {
      const headers = {'content-type': type, ...(whole && {'content-length': body.length})}
      const outgoing = request({host: '127.0.0.1', port, method: 'POST', headers})
      if (!whole) outgoing.flushHeaders()
      outgoing.end(body)
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      return text(response)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const part = (headers: string, value: string) => `--b\r\n${headers}\r\n\r\n${value}\r\n`
const field = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value)
const file = (name: string, filename: string, value: string) =>
  part(
    `Content-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: application/octet-stream`,
    value,
  )
const usual =
  field('name', 'acme') +
  field('summary', 'Gr\u00fc\u00dfe') +
  file('content', 'a-1.whl', 'P\r\nK\r\n-') +
  '--b--\r\n'
const type = 'multipart/form-data; boundary=b'

const odd: Record<string, string> = {
  'as twine sends it': usual,
  'with nothing behind it': usual.slice(0, -2),
  'with something behind it': `${usual}more`,
  'with something before it': `before\r\n${usual}`,
  'without an end': usual.slice(0, -6),
  'without parts': '--b--\r\n',
  'of nothing': '',
  'with an empty field': field('name', '') + usual,
  'with a field whose line break is missing':
    '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n--b--\r\n',
  'with an empty file': `${file('content', 'a.whl', '')}--b--\r\n`,
  'with two files': file('content', 'a.whl', 'a') + file('content', 'b.whl', 'b') + '--b--\r\n',
  'with a file of another name': `${file('gpg_signature', 'a.asc', 'a')}${usual}`,
  'with a field that is too long': field('name', 'x'.repeat(201)) + usual,
  'with fields that are too long together': field('a', 'x'.repeat(199)).repeat(4) + usual,
  'with the beginning of a boundary in a file': `${file('content', 'a.whl', '\r\n--\r\n-b\r\n--c')}--b--\r\n`,
  'with a longer boundary in a file': `${file('content', 'a.whl', 'x\r\n--bc\r\ny')}--b--\r\n`,
  'with blanks behind a boundary': usual.replace('--b\r\n', '--b  \r\n'),
  'with line feeds alone': usual.replaceAll('\r\n', '\n'),
  'with a character set':
    part('Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=latin1', '\u00fc') +
    usual,
  'with quotes in a file name': file('content', 'a\\"b.whl', 'a') + '--b--\r\n',
  'with a name in another notation':
    part("Content-Disposition: form-data; name=a; filename*=utf-8''b.whl", 'a') + usual,
  'with a path as file name': `${file('content', 'C:\\a/b.whl', 'a')}--b--\r\n`,
  'with a part that has no name': part('Content-Disposition: form-data', 'a') + usual,
}

describe('a small form whose length is known is read as any other', () => {
  for (const [how, body] of Object.entries(odd)) {
    it(how, async () => {
      await using reader = await formReader()
      const bytes = Buffer.from(body)
      assert.equal(await reader.send(bytes, type, true), await reader.send(bytes, type, false))
    })
  }

  it('with anything at any place of it', async () => {
    await using reader = await formReader()
    const pieces = [
      '\r\n',
      '--',
      '--b',
      '\r',
      '\n',
      ':',
      ';',
      '"',
      ' ',
      '\0',
      'x',
      '\u00ff',
      '--b--',
      '\r\n\r\n',
    ]
    let state = 7
    const random = (below: number) => (state = (state * 48271) % 2147483647) % below
    for (let round = 0; round < 400; round += 1) {
      let body = usual
      for (let change = random(3); change >= 0; change -= 1) {
        const [at, length] = [random(body.length), random(4)]
        body =
          body.slice(0, at) +
          (random(3) > 0 ? (pieces[random(pieces.length)] ?? '') : '') +
          body.slice(at + length)
      }
      const bytes = Buffer.from(body)
      const [atOnce, asItComes] = [
        await reader.send(bytes, type, true),
        await reader.send(bytes, type, false),
      ]
      assert.equal(atOnce, asItComes, JSON.stringify(body))
    }
  })
})
