/** What a command ends with when it does not succeed, and how it is told. */
import { ERRORS, HubError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { EXIT, exitStatusOf } from './exit-status.ts'
import type { ExitStatus } from './exit-status.ts'

/** An error with a sentence for people, a code for programs and an exit status. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: string
  readonly exitStatus: ExitStatus
  /** The hub's problem document (RFC 9457), when it sent one. */
  readonly problem: Readonly<Record<string, unknown>> | null

  constructor(
    code: string,
    detail: string,
    exitStatus: ExitStatus,
    problem: Readonly<Record<string, unknown>> | null = null,
  ) {
    super(detail)
    this.code = code
    this.exitStatus = exitStatus
    this.problem = problem
  }
}

/** The command was called in a way that cannot work. */
export function wrongUsage(detail: string): Failure {
  return new Failure('usage', detail, EXIT.usage)
}

/** What to do on the command line, where the hub's own words speak of HTTP. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  'auth.required': 'set HUB_TOKEN, or give --token-file FILE',
  'auth.invalid': 'HUB_TOKEN (or the token file) holds a token that this hub does not take',
}

/** Codes whose own detail would only repeat the hint, or speak of headers. */
const PLAIN: Partial<Record<ErrorCode, string>> = {
  'auth.required': 'this needs a token',
}

/** Codes of this host's own commands, whose HTTP status says less. */
const LOCAL_STATUSES: Partial<Record<ErrorCode, ExitStatus>> = {
  'config.invalid': EXIT.fault,
  'hub.running': EXIT.refused,
  'verify.failed': EXIT.damaged,
}

/** Anything thrown, as a failure. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof HubError) {
    const { status } = ERRORS[error.code]
    const exitStatus = LOCAL_STATUSES[error.code] ?? exitStatusOf(status)
    const { title } = ERRORS[error.code]
    const problem = { ...error.extra, code: error.code, title, detail: error.message }
    return new Failure(error.code, error.message, exitStatus, problem)
  }
  const { code, message, path } = error as NodeJS.ErrnoException
  if (code !== undefined && path !== undefined) return new Failure('fault', message, EXIT.fault)
  return new Failure('fault', (error as Error).stack ?? String(error), EXIT.fault)
}

/** The failure as lines for people: what was refused, its code, what to do next. */
export function failureText({ code, message, problem }: Failure): string {
  const known = code as ErrorCode
  const named = code === 'usage' || code === 'fault' ? '' : ` (${code})`
  const [first = '', ...more] = (PLAIN[known] ?? message).split('\n')
  const lines = [`portage-hub: ${first}${named}`, ...more.map((line) => `  ${line}`)]
  const hint = HINTS[known]
  if (hint !== undefined) lines.push(`  ${hint}`)
  lines.push(...toMeet(problem).map((line) => `  ${line}`))
  return lines.join('\n')
}

/** What would make the unmet rules of a refused promotion met. */
function toMeet(problem: Failure['problem']): readonly string[] {
  const rules = problem?.['rules']
  if (!Array.isArray(rules)) return []
  return (rules as readonly { readonly state?: unknown; readonly toMeet?: unknown }[])
    .filter(({ state }) => state === 'unmet')
    .flatMap((rule) => (typeof rule.toMeet === 'string' ? [rule.toMeet] : []))
}
