/**
 * What a claim of an identity must be: a text, in which `*` stands for a part of one segment. Segments end at `/` and `:`, so
 * that `refs/tags/v*` is no branch and `acme/*` would be no other owner's; there are no regular expressions, in which a
 * dot that was not escaped lets a look-alike in.
 */
import { z } from 'zod'

const SEPARATORS = /([/:])/

export const claimPattern = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\p{C}]+$/u, 'must be of visible characters')
  .refine(
    (pattern) => pattern.split(SEPARATORS).every((segment) => segment.split('*').length <= 2),
    'has more than one * between two separators (/ and :)',
  )

export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*')
}

/** Whether the whole value is what the pattern says; capitals count. */
export function matchesClaim(pattern: string, value: string): boolean {
  const wanted = pattern.split(SEPARATORS)
  const found = value.split(SEPARATORS)
  return (
    wanted.length === found.length &&
    wanted.every((segment, index) => matchesSegment(segment, found[index] ?? ''))
  )
}

function matchesSegment(wanted: string, found: string): boolean {
  const [head = '', tail] = wanted.split('*')
  if (tail === undefined) return found === wanted
  return found.length >= head.length + tail.length && found.startsWith(head) && found.endsWith(tail)
}
