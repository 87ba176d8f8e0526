import { z } from 'zod'

/** Why somebody does it: one line that people and Portage show. */
export const reasonField = z
  .string()
  .trim()
  .min(1, 'say why: it is shown to everybody whom it concerns')
  .max(500)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u, 'must be one line without control characters')
