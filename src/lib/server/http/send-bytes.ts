import {once} from 'node:events'
import {read} from 'node:fs'
import type {FileHandle} from 'node:fs/promises'
import type {ServerResponse} from 'node:http'
import {Readable} from 'node:stream'
import type {FastifyReply} from 'fastify'
import {giveBack, takeBuffer} from './send-buffers.js'

/** A client that takes nothing for so long, in ms, or a storage that gives nothing, ends the download. */
const patience = 5 * 60_000

/** Where the bytes come from: a stream of exactly the wanted part, or a local file that holds it from `start` on. */
export type ByteSource = Readable | FileHandle

/**
 * Sends `length` bytes with the status and headers that `reply` has by now, and closes `source` in any case. An answer
 * that can't be completed breaks the connection: a client must never take a part for the whole. Fastify's own sending
 * would neither count the bytes nor read a file without a stream, which costs a third of the speed.
 * @param onBroken why the source failed. Not called when the client goes away.
 */
export async function sendBytes(
  reply: FastifyReply,
  source: ByteSource,
  {start, length}: {readonly start: number; readonly length: number},
  onBroken: (error: unknown) => void,
): Promise<FastifyReply> {
  const response = reply.raw
  reply.hijack()
  response.setTimeout(patience, () => response.destroy())
  response.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>)
  try {
    if (response.destroyed) throw new Error('the client went away')
    if (source instanceof Readable) await sendStream(response, source, length)
    else await sendFile(response, source.fd, start, length)
    response.end()
  } catch (error) {
    if (!response.destroyed) onBroken(error)
    response.destroy()
  } finally {
    if (source instanceof Readable) source.destroy()
    else await source.close().catch(() => undefined)
  }
  return reply
}

async function sendStream(response: ServerResponse, source: Readable, length: number): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => {
    gone.abort()
    source.destroy()
  })
  let left = length
  for await (const chunk of source as AsyncIterable<Buffer>) {
    left -= chunk.length
    if (left < 0) throw new Error('the storage gave more bytes than the file has')
    if (!response.write(chunk)) await once(response, 'drain', {signal: gone.signal})
  }
  if (left > 0) throw new Error(`the storage ended ${left} bytes too early`)
}

/**
 * One buffer for the whole file: filled, handed to the kernel, and filled again once the kernel has taken it. New memory
 * for each piece would cost more than the copying.
 */
async function sendFile(response: ServerResponse, fd: number, start: number, length: number): Promise<void> {
  const buffer = takeBuffer()
  let isWhole = false
  try {
    await new Promise<void>((resolve, reject) => {
      let offset = start
      const end = start + length
      let reading = false
      let gone = false
      const sendNext = (): void => {
        if (gone) return
        if (offset === end) {
          resolve()
          return
        }
        reading = true
        read(fd, buffer, 0, Math.min(buffer.length, end - offset), offset, (error, count) => {
          reading = false
          if (gone || error !== null || count === 0) {
            reject(error ?? new Error(gone ? 'the client went away' : 'the file is shorter than it was'))
            return
          }
          offset += count
          response.write(buffer.subarray(0, count), failure => (failure ? reject(failure) : sendNext()))
        })
      }
      // Nobody else tells when a request is dropped that waited behind another one on its connection. While a read is
      // under way, its descriptor must not be closed.
      response.once('close', () => {
        gone = true
        if (!reading) reject(new Error('the client went away'))
      })
      sendNext()
    })
    isWhole = true
  } finally {
    giveBack(buffer, isWhole) // of a broken answer the kernel may still hold it
  }
}
