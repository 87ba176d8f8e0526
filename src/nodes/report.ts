/**
 * What a node tells of itself. Every text and list is bounded, since whoever has a node's token may send anything; keys
 * that later programs add are dropped, so that an old hub takes the report of a new node.
 */
import { z } from 'zod'

/** One line of at most so many characters, without any that hide or reorder text. */
export const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u, 'must be one line without control characters')
const time = z.iso.datetime({ offset: true }).max(40)
const count = z.int().min(0)
const path = line(4096).regex(/^\//, 'must be an absolute path')

export const RESTORE_POINT_ID = /^rp_[0-9]{8}T[0-9]{6}Z_[a-z0-9]{6}$/

const packageSchema = z.object({
  cpv: line(255).regex(/^[A-Za-z0-9_][\w+.-]*\/[A-Za-z0-9_][\w+.-]*$/, 'must be a package with its version'),
  repo: line(100),
  buildTimeSec: count,
  binpkgBuildId: z.int().min(1).nullable(),
  restorePoint: z.string().regex(RESTORE_POINT_ID).nullable(),
})

export const reportSchema = z.object({
  /** By the node's clock. */
  at: time,
  /** Versions of the two programs. */
  portage: line(100),
  hubNode: line(100),
  /** Given, it must be that of the machine that was enrolled. */
  machineId: line(64).optional(),
  sync: z.object({
    at: time.nullable(),
    revision: z.union([count, line(100)]).nullable(),
    commit: z
      .string()
      .regex(/^[0-9a-f]{40}$/)
      .nullable(),
  }),
  packages: z
    .array(packageSchema)
    .max(2000)
    .refine((all) => new Set(all.map(({ cpv }) => cpv)).size === all.length, 'a package is named twice'),
  configPending: z.array(path).max(1000).default([]),
  disk: z
    .array(z.object({ path, freeBytes: count, totalBytes: count }))
    .max(50)
    .default([]),
  /** Results of rehearsals: flat objects, kept as they are. */
  rehearsed: z
    .array(
      z
        .record(line(64), z.union([z.string().max(1000), z.number(), z.boolean(), z.null()]))
        .refine((all) => Object.keys(all).length <= 32, 'has more than 32 keys'),
    )
    .max(200)
    .default([]),
})

export type Report = z.infer<typeof reportSchema>
export type ReportedPackage = Report['packages'][number]
