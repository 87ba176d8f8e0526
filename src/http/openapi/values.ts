/** Values that many answers have, each described once. */
import { z } from 'zod'

export const time = z.iso
  .datetime()
  .meta({ description: 'UTC, RFC 3339.', examples: ['2026-11-23T07:13:16Z'] })

/** As the node sent it, which may be with an offset. */
export const nodeTime = z.iso.datetime({ offset: true }).describe('By the node’s clock.')

export const sizeBytes = z.int().min(0).describe('In bytes.')

export const sha512 = hex(128, 'SHA512, in hex.')
export const sha256 = hex(64, 'SHA256, in hex.')
export const blake2b = hex(128, 'BLAKE2B of 512 bits, in hex.')

/** Of a git repository. */
export const oid = hex(40, 'An object of the overlay’s repository, by git’s id.')

export const appName = named('The name of the app.', 'shop')
export const buildNumber = z
  .int()
  .min(1)
  .meta({ description: 'The number of the build.', examples: [45] })
export const environmentName = named('The name of the environment.', 'staging')
export const nodeName = named('The name of the node.', 'web1')
export const cpv = named('The package with its version, as Portage names it.', 'app-acme/shop-1.4.0_p45')

/** Who did something: the name of a token, of a person, or `policy`. */
export const who = named('The name of who did it.', 'release manager')

export function named(description: string, example: string) {
  return z.string().meta({ description, examples: [example] })
}

function hex(digits: number, description: string) {
  return z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${String(digits)}}$`))
    .describe(description)
}

const pathChange = z.strictObject({ path: z.string(), action: z.enum(['write', 'remove']) })
export const pathChanges = z.array(pathChange).describe('Which files of the overlay changed.')

const changedOverlay = z.strictObject({
  revision: z.int(),
  commit: oid.nullable().describe('null where nothing changes, and in a dry run.'),
  changes: pathChanges,
})

export const published = changedOverlay
  .nullable()
  .describe('The revision of the overlay that it made, or of a dry run would make; null: none.')

/** The same of several overlays. */
export const publishedTogether = z
  .array(z.strictObject({ environment: environmentName, ...changedOverlay.shape }))
  .describe('The overlays that changed, each by one revision.')

/** A body, or a part of a form, that is bytes. */
export const bytes = z.string().meta({ override: { type: 'string', format: 'binary' } })

/** A list that has no pages: it answers all there is. */
export function wholeListOf(item: z.ZodType) {
  return z.strictObject({ items: z.array(item), nextCursor: z.null() })
}
