import type {DistFile} from '../../packaging/dist-file.js'

/** Undefined where there is no text, or none that is a time. */
export function recordedTime(text: string | undefined): Date | undefined {
  const time = new Date(text ?? Number.NaN)
  return Number.isNaN(time.getTime()) ? undefined : time
}

/** When a file was published: as its metadata says, else when its object was written. */
export const publishedAt = ({data, lastModified}: DistFile): Date =>
  recordedTime(data.upload_time) ?? lastModified

/** The times that some stores keep are cut to whole seconds. */
export function isSameTime(a: Date, b: Date): boolean {
  const [one, other] = [a.getTime(), b.getTime()]
  if (one === other) return true
  const isCut = one % 1000 === 0 || other % 1000 === 0
  return isCut && Math.floor(one / 1000) === Math.floor(other / 1000)
}
