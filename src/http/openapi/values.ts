/** Values that many answers have, each described once. */
import { z } from 'zod'

export const time = z.iso
  .datetime()
  .meta({ description: 'UTC, RFC 3339.', examples: ['2026-11-23T07:13:16Z'] })

export const sizeBytes = z.int().min(0).describe('In bytes.')

export const sha512 = z
  .string()
  .regex(/^[0-9a-f]{128}$/)
  .describe('SHA512, in hex.')

export const oid = z
  .string()
  .regex(/^[0-9a-f]{40}$/)
  .describe('An object of the overlay’s repository, by git’s id.')

export const appName = z.string().meta({ description: 'The name of the app.', examples: ['shop'] })

export const buildNumber = z
  .int()
  .min(1)
  .meta({ description: 'The number of the build.', examples: [45] })

export const environmentName = z
  .string()
  .meta({ description: 'The name of the environment.', examples: ['staging'] })

export const who = z.string().describe('The name of who did it.')

export const cpv = z
  .string()
  .meta({ description: 'The package, as Portage names it.', examples: ['app-acme/shop-1.4.0_p45'] })

/** What a change did, or with `dryRun` would do, to an overlay. */
export const published = z
  .strictObject({
    revision: z.int(),
    commit: oid,
    changes: z.array(z.strictObject({ path: z.string(), action: z.enum(['write', 'remove']) })),
  })
  .nullable()
  .meta({ description: 'The revision of the overlay that it made; null: none.' })
