import {Busboy, type BusboyHeaders} from '@fastify/busboy'
import type {IncomingMessage} from 'node:http'
import type {Readable} from 'node:stream'
import {smallSize} from '../../storage/small-body.js'
import {HttpError} from './errors.js'
import {plainBoundary, plainForm, type Part} from './plain-form.js'

export interface FormFile {
  /** As the client sent it, with whatever path is in it. */
  readonly filename: string
  /** All bytes, or a stream that must be read to its end. That fails when the client goes away. */
  readonly content: Buffer | Readable
}
export type FormFields = ReadonlyMap<string, readonly string[]>
export interface FormOptions {
  /** Largest value of one field, in bytes. */
  readonly limit: number
  /** Largest sum of the fields that are kept, in bytes. Default: `limit`. */
  readonly total?: number
  /** Fields to keep; others are read and forgotten (a description may be long). Default: all. */
  readonly keep?: ReadonlySet<string>
  /** Which part is the file, and what takes it: called with the fields that came before it. */
  readonly file?: {readonly field: string; take(file: FormFile, fields: FormFields): Promise<void>}
}
export interface Form {
  readonly fields: FormFields
  /** Whether the file came. */
  readonly hasFile: boolean
}

const maxFields = 2000
/** Bytes of small forms that are collected at the same time. Others are read as large ones are. */
const mostCollected = 16 * 1024 * 1024
let collecting = 0
/** A client that sends nothing for so long is gone. */
const idleSeconds = 60

/**
 * Reads a multipart form to its end, one part at a time. When it fails, the rest of the body is read and thrown away
 * in the background: a client that sends all before it reads would otherwise see a reset instead of the answer.
 * @throws {HttpError} 400 or 408. @throws what `file.take` throws, at once.
 */
export function readForm(raw: IncomingMessage, options: FormOptions): Promise<Form> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string[]>()
    let kept = 0 // bytes
    let open: Readable | undefined
    let taking: Promise<void> | undefined
    let settled = false

    const length = Number(raw.headers['content-length'] ?? Infinity)
    const boundary = plainBoundary(raw.headers['content-type'] ?? '')
    const isSmall = boundary !== undefined && length <= smallSize && collecting + length <= mostCollected
    if (isSmall) collecting += length
    const idle = setInterval(() => {
      if (seen === raw.socket.bytesRead) fail(new HttpError(408, `Nothing came for ${idleSeconds} seconds`))
      seen = raw.socket.bytesRead
    }, idleSeconds * 1000).unref()
    let seen = raw.socket.bytesRead

    const settle = (): boolean => {
      if (settled) return false
      settled = true
      clearInterval(idle)
      if (isSmall) collecting -= length
      raw.off('close', onClose).off('error', onClose)
      return true
    }
    const fail = (error: Error): void => {
      if (!settle()) return
      raw.unpipe()
      open?.destroy(error)
      drain(raw)
      // The file's taker cleans up first: nothing of a refused upload is left when the answer goes out.
      const done = () => reject(error)
      if (taking) taking.then(done, done)
      else done()
    }
    const onClose = () => {
      if (!raw.complete) fail(new HttpError(400, 'The client went away before its request was complete'))
    }
    const bad = (message: string) => fail(new HttpError(400, message))

    const addField = (name: string, value: string): void => {
      if (settled) return
      if (options.keep && !options.keep.has(name)) return
      kept += Buffer.byteLength(name) + Buffer.byteLength(value)
      if (kept > (options.total ?? options.limit)) {
        fail(
          new HttpError(413, `The fields are longer than ${options.total ?? options.limit} bytes together`),
        )
        return
      }
      const values = fields.get(name)
      if (values) values.push(value)
      else fields.set(name, [value])
    }
    /** @returns whether somebody takes it. */
    const addFile = (name: string, filename: string, content: Buffer | Readable): boolean => {
      const {file} = options
      if (settled || file === undefined || file.field !== name) return false
      if (taking) {
        bad(`There is more than one '${name}'`)
        return false
      }
      taking = file.take({filename, content}, fields)
      taking.catch(fail)
      return true
    }
    const finish = () => {
      const done = () => {
        if (settle()) resolve({fields, hasFile: taking !== undefined})
      }
      if (taking) taking.then(done, fail)
      else done()
    }

    const openParser = () => {
      const busboy = openBusboy(raw, options)
      busboy.on('field', (name, value, _nameCut, valueCut) => {
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- a part may have no name
        if (name === undefined) return
        if (valueCut && options.keep?.has(name) !== false)
          bad(`The field '${name}' is longer than ${options.limit} bytes`)
        addField(name, value)
      })
      busboy.on('file', (name, stream, filename) => {
        stream.on('error', () => undefined) // reported by the taker, or by fail
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- undefined for a part without a name
        if (addFile(name, filename ?? '', stream)) open = stream
        else stream.resume()
      })
      busboy.on('fieldsLimit', () => bad(`There are more than ${maxFields} fields`))
      busboy.on('partsLimit', () => bad(`There are more than ${maxFields} parts`))
      busboy.on('error', () => bad('The body is no complete multipart form'))
      busboy.on('finish', finish)
      return busboy
    }
    raw.on('close', onClose).on('error', onClose)
    if (!isSmall) {
      raw.pipe(openParser())
      return
    }
    collectAll(raw, body => {
      const parts = plainForm(boundary, body)
      if (!parts || parts.length > maxFields || parts.some(part => isTooLong(part, options.limit))) {
        openParser().end(body)
        return
      }
      for (const {name, filename, bytes} of parts) {
        if (filename === undefined) addField(name, bytes.toString('utf8'))
        else addFile(name, filename, bytes)
      }
      finish()
    })
  })
}

const isTooLong = ({filename, bytes}: Part, limit: number) => filename === undefined && bytes.length > limit

function collectAll(raw: IncomingMessage, use: (body: Buffer) => void): void {
  const chunks: Buffer[] = []
  raw.on('data', (chunk: Buffer) => chunks.push(chunk))
  raw.once('end', () => use(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
}

function openBusboy(raw: IncomingMessage, options: FormOptions) {
  try {
    return new Busboy({
      headers: raw.headers as BusboyHeaders,
      preservePath: true, // a path in a file name is refused, not repaired
      fileHwm: 512 * 1024,
      highWaterMark: 512 * 1024,
      limits: {
        fields: maxFields,
        parts: maxFields + 10,
        fieldSize: options.limit,
        headerPairs: 50,
        headerSize: 16 * 1024,
      },
      // Only a file name makes a file: a field sent as application/octet-stream stays a field.
      isPartAFile: (_name, _type, filename) => filename !== undefined,
    })
  } catch (error) {
    throw new HttpError(400, 'The multipart form has no usable boundary', {cause: error})
  }
}

/** Reads the rest of a body and throws it away, but not for ever. */
export function drain(raw: IncomingMessage, limit = 10 * 1024 ** 3, seconds = 600): void {
  if (raw.complete || raw.destroyed) return
  let left = limit
  const timer = setTimeout(() => raw.socket.destroy(), seconds * 1000).unref()
  raw
    .on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) raw.socket.destroy()
    })
    .on('close', () => clearTimeout(timer))
    .on('end', () => clearTimeout(timer))
    .resume()
}
