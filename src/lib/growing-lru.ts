import {LRUCache} from 'lru-cache'

/**
 * A cache of the `max` entries that were used last, which takes memory as it fills. With `max`, lru-cache takes all of it
 * at the start: a dozen caches of 10,000 to 20,000 entries cost each worker some megabytes, most of them for nothing.
 * @param ttl after how many milliseconds an entry is forgotten.
 */
export const growingLru = <V extends object | string | number | true>(
  max: number,
  {ttl}: {readonly ttl?: number} = {},
): LRUCache<string, V> =>
  new LRUCache({maxSize: max, sizeCalculation: () => 1, ...(ttl !== undefined && {ttl})})
