/** What a report says of rehearsals: dumps that the node restored into a scratch database, and whether that worked. */
import { z } from 'zod'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import type { PointKey, Rehearsal } from '../records/restore-points.ts'
import type { Report } from './report.ts'
import { RESTORE_POINT_ID } from './report.ts'

const rehearsalSchema = z.object({
  restorePoint: z.string().regex(RESTORE_POINT_ID),
  at: z.iso.datetime({ offset: true }).max(40),
  ok: z.boolean(),
  detail: z.string().default(''),
})

/**
 * Keeps the newest rehearsal of each point that is here. A report has those of the last time again and again, so a point
 * that is announced later gets its own then. What is no rehearsal of this form is passed over.
 */
export async function keepRehearsals(
  hub: Pick<Hub, 'records' | 'clock'>,
  node: string,
  { rehearsed }: Pick<Report, 'rehearsed'>,
): Promise<void> {
  const newest = new Map<string, Rehearsal>()
  for (const entry of rehearsed) {
    const { success, data } = rehearsalSchema.safeParse(entry)
    if (!success) continue
    const rehearsal = { at: timestamp(new Date(data.at)), ok: data.ok, detail: data.detail }
    const known = newest.get(data.restorePoint)
    if (known === undefined || known.at <= rehearsal.at) newest.set(data.restorePoint, rehearsal)
  }
  const points = await hub.records.restorePoints.findAll(node, [...newest.keys()])
  for (const { id, rehearsedAt } of points) {
    const rehearsal = newest.get(id)
    if (rehearsal && (rehearsedAt === null || rehearsedAt < rehearsal.at))
      await keep(hub, { node, id }, rehearsal)
  }
}

async function keep(hub: Pick<Hub, 'records' | 'clock'>, key: PointKey, rehearsal: Rehearsal): Promise<void> {
  await hub.records.restorePoints.rehearsed(key, rehearsal)
  const change = { type: 'restore_point.rehearsed', subject: key.id, node: key.node } as const
  await recordChange(hub.records, hub.clock, { ...change, after: { ...rehearsal } })
}
