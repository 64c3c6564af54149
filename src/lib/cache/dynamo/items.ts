import type {AttributeValue} from '@aws-sdk/client-dynamodb'
import type {DistFile, DistFileData, ProjectSummary} from '../../packaging/dist-file.js'

export type Item = Record<string, AttributeValue>

/**
 * An item of the table of files, as pypicloud writes it: what is empty is absent. Of the six decimals of its
 * `last_modified` DynamoDB drops the zeros at the end.
 * @param before the item that it replaces. Others may have stored microseconds: a time that is the same to the
 * millisecond stays as they wrote it.
 */
export function itemOfFile(file: DistFile, before?: Item): Item {
  const data: [string, AttributeValue][] = []
  for (const [key, value] of Object.entries(file.data)) {
    if (typeof value === 'number' && value !== 0 && Number.isFinite(value))
      data.push([key, {N: String(value)}])
    if (typeof value === 'string' && value !== '') data.push([key, {S: value}])
  }
  return {
    filename: {S: file.filename},
    name: {S: file.name},
    version: {S: file.version},
    last_modified: {N: sameTime(before, file.lastModified) ?? formatTime(file.lastModified)},
    ...(file.summary ? {summary: {S: file.summary}} : {}),
    data: {M: Object.fromEntries(data)},
  }
}

/** Undefined for what has no file name or project: nobody can ask for it. */
export function fileOfItem(item: Item): DistFile | undefined {
  const filename = textOf(item, 'filename')
  const name = textOf(item, 'name')
  if (!filename || !name) return undefined
  return {
    filename,
    name,
    version: textOf(item, 'version') ?? '',
    lastModified: timeOfItem(item),
    summary: textOf(item, 'summary') || null,
    data: dataOf(item['data']),
  }
}

/** An item of the table of projects. */
export const summaryItem = (fileItem: Item): Item => ({
  name: fileItem['name'] ?? {S: ''},
  last_modified: fileItem['last_modified'] ?? {N: '0'},
  ...(fileItem['summary'] ? {summary: fileItem['summary']} : {}),
})

export function summaryOfItem(item: Item): ProjectSummary | undefined {
  const name = textOf(item, 'name')
  return name ? {name, summary: textOf(item, 'summary') || null, lastModified: timeOfItem(item)} : undefined
}

export const textOf = (item: Item | undefined, key: string): string | undefined => item?.[key]?.S
export const numberOf = (item: Item | undefined, key: string): number | undefined =>
  item?.[key]?.N === undefined ? undefined : Number(item[key].N)

/** Seconds since 1970. */
const formatTime = (time: Date): string => String(time.getTime() / 1000)

export function timeOfItem(item: Item): Date {
  const time = new Date(Math.floor(Number(item['last_modified']?.N ?? 0) * 1000 + 0.0005))
  return Number.isNaN(time.getTime()) ? new Date(0) : time
}

const sameTime = (item: Item | undefined, time: Date): string | undefined =>
  item && timeOfItem(item).getTime() === time.getTime() ? item['last_modified']?.N : undefined

/** A map, or the JSON text that old versions of pypicloud's library stored. */
function dataOf(value: AttributeValue | undefined): DistFileData {
  return value?.M ? plain(value.M) : parsed(value?.S)
}

const plain = (map: Item): DistFileData =>
  Object.fromEntries(
    Object.entries(map).flatMap(([key, {S: text, N: number}]): [string, string | number][] => {
      if (text !== undefined) return text === '' ? [] : [[key, text]]
      return number === undefined ? [] : [[key, Number(number)]]
    }),
  )

function parsed(text: string | undefined): DistFileData {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as DistFileData) : {}
  } catch {
    return {}
  }
}
