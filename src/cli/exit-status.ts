/** The exit statuses of the command line: the one table, shown in its help and in docs/cli.md. */
export const EXIT = {
  done: 0,
  fault: 1,
  usage: 2,
  refused: 3,
  notAuthorised: 4,
  notFound: 5,
  unreachable: 6,
  damaged: 7,
} as const
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'done',
  fault: 'a fault: of the hub, of its settings, or of a file that cannot be read',
  usage: 'wrong usage: an unknown option, a missing argument',
  refused: 'the hub refuses it, and says why',
  notAuthorised: 'no token, a wrong one, or one without the right',
  notFound: 'no such app, build, environment, release, revision or token',
  unreachable: 'no hub answers',
  damaged: '"verify" or "rebuild" found damage',
}

/** The exit status for an HTTP status that tells of an error. */
export function exitStatusOf(httpStatus: number): ExitStatus {
  if (httpStatus === 401 || httpStatus === 403) return EXIT.notAuthorised
  if (httpStatus === 404) return EXIT.notFound
  if (httpStatus >= 400 && httpStatus < 500) return EXIT.refused
  if (httpStatus >= 502 && httpStatus <= 504) return EXIT.unreachable
  return EXIT.fault
}

/** The table as lines of text. */
export function exitStatusLines(): readonly string[] {
  return Object.entries(EXIT).map(
    ([name, status]) => `  ${String(status)}  ${EXIT_MEANINGS[name as keyof typeof EXIT]}`,
  )
}
