/** A restore point that was announced and never completed goes, with the files that came of it. */
import type { Hub } from '../hub.ts'
import type { PointKey, RestorePointRow } from '../records/restore-points.ts'
import { removeIf } from './remove-point.ts'
import type { RemovalNeeds } from './remove-point.ts'

type Needs = RemovalNeeds & Pick<Hub, 'arrivals'>

/**
 * Removes the point unless its node was heard of it since `before`, or is sending something just now. Its node has it still,
 * and may announce it again: it is as new then.
 * @returns whether it was removed.
 * @throws {HubError} `restore_point.unknown`; `restore_point.needed` for one that is kept.
 */
export async function removeAbandoned(hub: Needs, key: PointKey, before: string): Promise<boolean> {
  return await removeIf(hub, key, async (point) => {
    const isSilent = point.state === 'announced' && lastHeardOf(point) < before
    return isSilent && !(await isBeingSent(hub, point))
  })
}

function lastHeardOf({ activeAt, announcedAt }: RestorePointRow): string {
  return activeAt ?? announcedAt
}

/** A resumable upload does not say which point it is for: while its node has one, none of the node's points goes. */
async function isBeingSent({ arrivals, records }: Needs, { node, id }: RestorePointRow): Promise<boolean> {
  if (arrivals.has({ node, id })) return true
  const tokenId = (await records.nodes.find(node))?.tokenId
  return tokenId !== undefined && (await records.partialUploads.openOf(tokenId)).length > 0
}
