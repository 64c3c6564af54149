import {sizeOf, uploadTimeOf, type DistFile} from '../../packaging/dist-file.js'
import {versionKey} from '../../packaging/versions.js'
import {isQuarantined, yankOf, type ProjectFacts, type ProjectStatus} from '../project-facts.js'
import {orderAgain} from './file-order.js'
import {addressBelow, type AddressOf} from './markup.js'

/** What clients see of a project. Every representation, JSON, HTML and the older JSON, is made of this alone. */
export interface ProjectDetail {
  /** Normalised. */
  readonly name: string
  /** Undefined: active. */
  readonly status: ProjectStatus | undefined
  /** Ascending, in the normal form of PEP 440 where they have one. */
  readonly versions: readonly string[]
  /** By file name, whatever the case. None while the project is quarantined. */
  readonly files: readonly FileDetail[]
}

export interface FileDetail {
  readonly filename: string
  /** As uploaded. */
  readonly version: string
  /** Absolute, or relative to the page; without a digest. */
  readonly url: string
  /** Hex. */
  readonly sha256: string | undefined
  readonly md5: string | undefined
  readonly requiresPython: string | undefined
  readonly summary: string | null
  /** Bytes. Undefined in rows of pypicloud, until they are completed. */
  readonly size: number | undefined
  /** PEP 700: `2026-11-20T23:09:52.673762Z`. Undefined where an upstream does not tell. */
  readonly uploadTime: string | undefined
  /** The reason, which may be empty. Undefined: not yanked. */
  readonly yanked: string | undefined
  /** Hex digest of what is at `url` with `.metadata` behind it, where that is certain to be served. */
  readonly coreMetadata: string | undefined
  /** Where what attests the file is served: below `DetailParts.attestedBelow`. */
  readonly provenance: string | undefined
}

export interface DetailParts {
  readonly facts: ProjectFacts
  /** Where clients fetch files. */
  readonly addressOf: AddressOf
  /** Addresses at this server, which alone has metadata and attestations beside a file. */
  readonly addressHere: AddressOf
  /** Absolute, with a slash at the end, for clients (PEP 740); relative where nobody gets to see it. */
  readonly attestedBelow: string
}

/** The details made last. Caches keep the files of large projects: after a change only few are described anew. */
const made = new WeakMap<DistFile, Made>()
interface Made {
  readonly detail: FileDetail
  readonly addressOf: AddressOf
  /** Of its version, once it was asked for. */
  key?: string
}

/** @param name normalised. @returns undefined when the project has no files. */
export function projectDetail(
  name: string,
  files: readonly DistFile[],
  {facts, addressOf, addressHere, attestedBelow}: DetailParts,
): ProjectDetail | undefined {
  if (files.length === 0) return undefined
  const attestedHere = addressBelow(attestedBelow)
  const detailOf = (file: DistFile): FileDetail => {
    const known = made.get(file)
    const yanked = yankOf(facts, file, known && (() => (known.key ??= versionKey(file.version))))
    const isSame = known?.addressOf === addressOf && known.detail.yanked === yanked
    if (isSame && known.detail.provenance === undefined) return known.detail
    const url = addressOf(file)
    const here = addressOf === addressHere ? url : addressHere(file)
    const {hash_sha256, hash_md5, requires_python, core_metadata_sha256, attestations} = file.data
    const detail: FileDetail = {
      filename: file.filename,
      version: file.version,
      url,
      sha256: textOf(hash_sha256),
      md5: textOf(hash_md5),
      requiresPython: textOf(requires_python),
      summary: file.summary,
      size: sizeOf(file),
      uploadTime: uploadTimeOf(file),
      yanked,
      coreMetadata: url === here ? textOf(core_metadata_sha256) : undefined,
      provenance: textOf(attestations) === undefined ? undefined : `${attestedHere(file)}.provenance`,
    }
    made.set(file, {...known, detail, addressOf})
    return detail
  }
  const {byName, versions} = orderAgain(name, files)
  return {
    name,
    status: facts.status,
    versions,
    files: isQuarantined(facts) ? [] : byName.map(detailOf),
  }
}

/** Rows may hold anything. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
