/**
 * Turns to read what is in tarballs: it takes a program, memory and much time for the end of a large one. Nobody has more
 * than a few at a time, however many they ask for, so that others have theirs.
 */
import type { Response } from 'express'
import { HubError } from '../errors.ts'
import { principalOf } from './auth.ts'

/** Of one owner; further ones wait. */
export const READINGS_AT_A_TIME = 8

interface Readings {
  running: number
  readonly waiting: (() => void)[]
}

const byOwner = new Map<string, Readings>()

/** Resolves when who asks may read; until what it gives is disposed of. @throws {HubError} if they have left meanwhile. */
export async function readingTurn(response: Response): Promise<Disposable> {
  const { owner } = principalOf(response)
  const readings = byOwner.get(owner) ?? { running: 0, waiting: [] }
  byOwner.set(owner, readings)
  // Whoever ends hands the place on, so that it is never free in between.
  if (readings.running >= READINGS_AT_A_TIME)
    await new Promise<void>((resolve) => readings.waiting.push(resolve))
  else readings.running++
  const turn = { [Symbol.dispose]: () => end(owner, readings) }
  if (!response.destroyed) return turn
  turn[Symbol.dispose]()
  throw new HubError('request.truncated', 'nobody waits for the answer any more')
}

function end(owner: string, readings: Readings): void {
  const next = readings.waiting.shift()
  if (next) next()
  else if (--readings.running === 0) byOwner.delete(owner)
}
