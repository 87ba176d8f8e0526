import { expect, test } from 'vitest'
import { ByteCache } from '../src/byte-cache.ts'

test('what was not used for longest goes first when the bytes are full', () => {
  const cache = new ByteCache<string>(10)
  cache.set('a', 'A', 4)
  cache.set('b', 'B', 4)
  cache.get('a')
  cache.set('c', 'C', 4)
  expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual(['A', undefined, 'C'])
  cache.set('a', 'A2', 1)
  cache.set('d', 'D', 5)
  cache.set('huge', 'H', 11)
  expect(['a', 'c', 'd', 'huge'].map((key) => cache.get(key))).toEqual(['A2', 'C', 'D', undefined])
})
