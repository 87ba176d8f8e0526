/** The hub's log: pino, one JSON object a line on standard error, with everything that could be a credential removed. */
import { pino } from 'pino'
import type { Logger } from 'pino'

export type { Logger }

/** Fields that are never written, wherever they stand in what is logged. */
const REDACTED = ['authorization', 'token', 'secret', 'password', 'cookie'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
])

export function createLog(level: string): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: REDACTED },
    pino.destination(2),
  )
}
