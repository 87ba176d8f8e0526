/** What stands between the braces of a path, by name: the same name means the same thing in every path. */
import { z } from 'zod'

const text = (description: string, example: string) => z.string().meta({ description, examples: [example] })

const DESCRIBED = {
  app: text('The name of an app.', 'shop'),
  build: z
    .int()
    .min(1)
    .meta({ description: 'The number of a build.', examples: [45] }),
  check: text('The id of a check.', 'chk_01m83m9c2t5rv0x8k4d7qz'),
  delivery: text('The id of a delivery.', 'whd_01m83m9c2t5rv0x8k4d7qz'),
  environment: text('The name of an environment.', 'staging'),
  fingerprint: text('The fingerprint of a key, in hex.', 'E881B0CF67E8FEE158A8F1E1D3723BF03ECAF133'),
  hex: text('SHA512 or BLAKE2B (128 digits) or SHA256 (64), in hex.', 'e4205c4bc5dd2351'.repeat(4)),
  hold: text('The id of a hold.', 'hld_01m83m3xnnpm5ygmp4gm6j'),
  name: text('The name of a file of the restore point, with its slashes.', 'shop.dump'),
  node: text('The name of a node.', 'web1'),
  other: z
    .int()
    .min(1)
    .meta({ description: 'The number of the build that it is compared with.', examples: [44] }),
  path: text('A path, with its slashes.', 'profiles/package.mask/mine'),
  person: text('The id or the name of a person.', 'anna'),
  place: z.enum(['binpkgs', 'dumps', 'infos']).describe('What the file is.'),
  point: text('The id of a restore point.', 'rp_20261123T071500Z_k3j9x2'),
  promotion: text('The id of a promotion.', 'pro_01m83m3xnfxbbczdmzr8b0'),
  release: text('The id of a release.', 'rel_01m83m3xnnpm5ygmp4gm6j'),
  revision: z
    .int()
    .min(1)
    .meta({ description: 'The number of a revision of the overlay.', examples: [4] }),
  rollback: text('The id of a rollback.', 'rbk_01m83m0379dty7wehpe6zh'),
  session: text('The id of a session.', 'ses_01m83m0379dty7wehpe6zh'),
  token: text('The id of a token.', 'tok_01m83m0379dty7wehpe6zh'),
  trust: text('The id of a trusted publisher.', 'tru_01m83m0379dty7wehpe6zh'),
  upload: text('The id of a resumable upload.', 'upl_01m83m0379dty7wehpe6zh'),
  webhook: text('The id of a webhook.', 'whk_01m83m0379dty7wehpe6zh'),
} as const satisfies Readonly<Record<string, z.ZodType>>

/** By name; `param.id` has the document say each of them once. */
export const PATH_PARAMETERS: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  Object.entries(DESCRIBED).map(([name, schema]) => [
    name,
    schema.meta({ ...schema.meta(), param: { id: name } }),
  ]),
)

export const DRY_RUN = z
  .enum(['true', 'false'])
  .optional()
  .meta({
    description: 'true: the change is checked and answered, and nothing of it kept.',
    examples: ['true'],
    param: { id: 'dryRun' },
  })

export const IDEMPOTENCY_KEY = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .optional()
  .meta({
    description: 'The same request with the same key gets the first answer again. Kept for a day.',
    param: { id: 'idempotencyKey' },
  })

export const CURSOR = z
  .string()
  .optional()
  .meta({ description: 'The `nextCursor` of the page before.', param: { id: 'cursor' } })

export const LIMIT = limitOf(50, 500).meta({ ...limitOf(50, 500).meta(), param: { id: 'limit' } })

export function limitOf(ordinary: number, most: number): z.ZodType {
  return z
    .int()
    .min(1)
    .max(most)
    .optional()
    .describe(`How many at most; ${String(ordinary)} unless it is said.`)
}
