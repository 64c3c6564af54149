import {createHash, hash} from 'node:crypto'
import {Readable} from 'node:stream'
import {StorageFailed} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import {collect, smallSize, type Bytes} from '../../storage/small-body.js'
import type {Body} from '../../storage/storage.js'
import {readFile, readSmallFile, type Ends} from './ends.js'

/** What is stored is not what was published. */
export class DamagedSource extends StorageFailed {
  constructor() {
    super('the source is damaged: its SHA-256 is not the recorded one')
  }
}

/** A file of the source as something to store. It breaks at its end when its bytes aren't those that were published. */
export class SourceBody implements Body {
  readonly size: number
  #sha256: string | undefined

  /** @param opened all of its bytes, for the first time that they are read. */
  constructor(
    private readonly ends: Ends,
    private readonly file: DistFile,
    private opened?: Bytes,
  ) {
    this.size = file.data.size ?? 0
  }

  sha256(): string | undefined {
    return this.#sha256
  }

  open(): Readable {
    return Readable.from(this.#read(), {objectMode: false})
  }

  async whole(): Promise<Buffer> {
    if (this.size > smallSize) return collect(this.open())
    const bytes = await readSmallFile(this.ends, this.ends.source, this.file, this.#takeOpened())
    this.#check(hash('sha256', bytes))
    return bytes
  }

  async *#read(): AsyncGenerator<Buffer> {
    const digest = createHash('sha256')
    for await (const chunk of readFile(this.ends, this.ends.source, this.file, this.#takeOpened())) {
      digest.update(chunk)
      yield chunk
    }
    this.#check(digest.digest('hex'))
  }

  #takeOpened(): Bytes | undefined {
    const {opened} = this
    this.opened = undefined
    return opened
  }

  /** @throws {DamagedSource} */
  #check(sha256: string): void {
    this.#sha256 = sha256
    const recorded = this.file.data.hash_sha256?.toLowerCase()
    if (recorded !== undefined && recorded !== sha256) throw new DamagedSource()
  }
}
