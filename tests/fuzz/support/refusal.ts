/** A refusal as it must be: a HubError with a code that this input may have, and a detail that can be shown. */
import { HubError } from '../../../src/errors.ts'
import type { Verdict } from './target.ts'

/** Whatever a refusal repeats of the input is cut; issues of a recipe are 50 at most. */
const MAX_DETAIL_CHARS = 20_000

export type Judged<T> =
  | { readonly verdict: Extract<Verdict, 'accepted'>; readonly value: T }
  | { readonly verdict: Extract<Verdict, 'refused'>; readonly error: HubError }

/** What `work` gives or refuses. @throws whatever is no refusal, or none that may be. */
export async function outcomeOf<T>(codes: RegExp, work: () => Promise<T> | T): Promise<Judged<T>> {
  try {
    return { verdict: 'accepted', value: await work() }
  } catch (error) {
    return { verdict: 'refused', error: checkedRefusal(codes, error) }
  }
}

/** The same for what answers at once. */
export function outcomeNow<T>(codes: RegExp, work: () => T): Judged<T> {
  try {
    return { verdict: 'accepted', value: work() }
  } catch (error) {
    return { verdict: 'refused', error: checkedRefusal(codes, error) }
  }
}

function checkedRefusal(codes: RegExp, error: unknown): HubError {
  if (!(error instanceof HubError)) throw error
  if (!codes.test(error.code)) throw new Error(`refused with the code ${error.code}`, { cause: error })
  if (error.message.length > MAX_DETAIL_CHARS) throw new Error('the detail is endless', { cause: error })
  if (/[\0-\x09\x0b-\x1f]/.test(error.message))
    throw new Error('the detail has control characters', { cause: error })
  return error
}
