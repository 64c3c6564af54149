import type {AttributeValue} from '@aws-sdk/client-dynamodb'
import type {Item} from './items.js'

/** The part of a write that says when it may happen. */
export interface Condition {
  readonly ConditionExpression: string
  readonly ExpressionAttributeNames: Record<string, string>
  readonly ExpressionAttributeValues?: Item
}

/** Whether the item still is what was read of it, or still is missing. `paths` are attributes, or members of a map. */
export function unchanged(
  item: Item | undefined,
  key: string,
  paths: readonly (readonly string[])[],
): Condition {
  if (!item)
    return {ConditionExpression: 'attribute_not_exists(#key)', ExpressionAttributeNames: {'#key': key}}
  const names: Record<string, string> = {}
  const values: Item = {}
  const terms = paths.map((path, index) => {
    const place = path.map((name, depth) => {
      names[`#c${index}_${depth}`] = name
      return `#c${index}_${depth}`
    })
    const value = valueAt(item, path)
    if (value === undefined) return `attribute_not_exists(${place.join('.')})`
    values[`:c${index}`] = value
    return `${place.join('.')} = :c${index}`
  })
  return {
    ConditionExpression: terms.join(' AND '),
    ExpressionAttributeNames: names,
    ...(Object.keys(values).length > 0 ? {ExpressionAttributeValues: values} : {}),
  }
}

const valueAt = (item: Item, [first = '', ...rest]: readonly string[]): AttributeValue | undefined =>
  rest.length === 0 ? item[first] : valueAt(item[first]?.M ?? {}, rest)

/** Of a file: what `sameRow` compares. */
export const fileCondition = (item: Item | undefined): Condition =>
  unchanged(item, 'filename', [
    ['name'],
    ['version'],
    ['last_modified'],
    ...(item?.['data']?.M
      ? [
          ['data', 'fingerprint'],
          ['data', 'hash_sha256'],
        ]
      : [['data']]),
  ])

export const summaryCondition = (item: Item | undefined): Condition =>
  unchanged(item, 'name', [['name'], ['last_modified'], ['summary']])
