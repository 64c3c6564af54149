import {InvalidInput} from '../errors.js'
import {fileEnding, parseFilename, quote} from './filenames.js'
import {normalizeName} from './names.js'
import {sameVersion} from './versions.js'

/** What an attestation is to be about. */
export interface Attested {
  readonly filename: string
  /** Hex. */
  readonly sha256: string
}

/** Of the whole field, in bytes: one attestation has some 5 KB. */
export const longestAttestations = 64 * 1024

/**
 * Reads the field `attestations` of an upload (PEP 740): an array of attestation objects, each about exactly this file.
 * Signatures are for those who know whom they trust: they are kept as they are.
 * @returns the provenance object that clients get, as JSON. @throws {InvalidInput}
 */
export function provenanceOf(field: string, file: Attested): string {
  const attestations = parseJson(field, 'The attestations are')
  if (!Array.isArray(attestations) || attestations.length === 0)
    throw new InvalidInput('The attestations are no JSON array with one object or more')
  attestations.forEach((attestation, index) =>
    checkAttestation(attestation, `Attestation ${index + 1}`, file),
  )
  const publisher = {kind: 'upload', claims: {}}
  return JSON.stringify({version: 1, attestation_bundles: [{publisher, attestations}]})
}

function checkAttestation(attestation: unknown, which: string, file: Attested): void {
  if (!isRecord(attestation) || attestation['version'] !== 1)
    throw new InvalidInput(`${which} is no object of version 1`)
  const {verification_material: material, envelope} = attestation
  if (!isRecord(material)) throw new InvalidInput(`${which} has no verification_material`)
  if (!isRecord(envelope) || typeof envelope['signature'] !== 'string')
    throw new InvalidInput(`${which} has no envelope with a signature`)
  const {statement} = envelope
  if (typeof statement !== 'string') throw new InvalidInput(`${which} has no statement`)
  checkStatement(Buffer.from(statement, 'base64').toString('utf8'), which, file)
}

/** An in-toto statement about one subject. */
function checkStatement(text: string, which: string, {filename, sha256}: Attested): void {
  const statement = parseJson(text, `The statement of ${which.toLowerCase()} is`)
  const subjects: unknown = isRecord(statement) ? statement['subject'] : undefined
  const [subject, second] = (Array.isArray(subjects) ? subjects : []) as unknown[]
  if (!isRecord(subject) || second !== undefined)
    throw new InvalidInput(`The statement of ${which.toLowerCase()} is not about exactly one subject`)
  const {name, digest} = subject
  if (typeof name !== 'string' || !isSameFile(name, filename))
    throw new InvalidInput(`${which} is about ${quote(String(name))}, not about ${quote(filename)}`)
  const attested: unknown = isRecord(digest) ? digest['sha256'] : undefined
  if (typeof attested !== 'string' || attested.toLowerCase() !== sha256.toLowerCase())
    throw new InvalidInput(`${which} is about other bytes: its sha256 is not that of ${quote(filename)}`)
}

/** Another spelling of the same project and version is the same file. */
function isSameFile(name: string, filename: string): boolean {
  if (name === filename) return true
  if (fileEnding(name) !== fileEnding(filename)) return false
  try {
    const [a, b] = [parseFilename(name), parseFilename(filename)]
    return (
      normalizeName(a.name) === normalizeName(b.name) &&
      sameVersion(a.version, b.version) &&
      tagsOf(name) === tagsOf(filename)
    )
  } catch {
    return false
  }
}

/** Of a wheel: what comes behind its version. */
const tagsOf = (filename: string): string =>
  filename.endsWith('.whl') ? filename.split('-').slice(2).join('-').toLowerCase() : ''

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidInput(`${what} no JSON`, {cause: error})
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
