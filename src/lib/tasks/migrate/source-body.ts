import {createHash} from 'node:crypto'
import {Readable} from 'node:stream'
import {StorageFailed} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Body} from '../../storage/storage.js'
import {readFile, type Ends} from './ends.js'

/** What is stored is not what was published. */
export class DamagedSource extends StorageFailed {
  constructor() {
    super('the source is damaged: its SHA-256 is not the recorded one')
  }
}

/** A file of the source as something to store. It breaks at its end when its bytes aren't those that were published. */
export class SourceBody implements Body {
  readonly size: number
  /** Of what was read last. */
  sha256: string | undefined

  /** @param opened all of its bytes, for the first time that they are read. */
  constructor(
    private readonly ends: Ends,
    private readonly file: DistFile,
    private opened?: Readable,
  ) {
    this.size = file.data.size ?? 0
  }

  open(): Readable {
    return Readable.from(this.#read(), {objectMode: false})
  }

  async whole(): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of this.#read()) chunks.push(chunk)
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  }

  async *#read(): AsyncGenerator<Buffer> {
    const hash = createHash('sha256')
    const {opened} = this
    this.opened = undefined
    for await (const chunk of readFile(this.ends, this.ends.source, this.file, opened)) {
      hash.update(chunk)
      yield chunk
    }
    this.sha256 = hash.digest('hex')
    const recorded = this.file.data.hash_sha256?.toLowerCase()
    if (recorded !== undefined && recorded !== this.sha256) throw new DamagedSource()
  }
}
