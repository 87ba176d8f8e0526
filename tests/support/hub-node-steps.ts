/** The named moments at which a test may kill hub-node, by what its next run then does. */

/** Of an upgrade, before anything is installed: all is undone. */
export const UPGRADE_PREPARES = [
  'upgrade.begun',
  'upgrade.synced',
  'upgrade.planned',
  'upgrade.fetched',
  'upgrade.stopped',
  'backup.dumped',
  'backup.packed',
  'backup.synced',
  'upgrade.saved',
  'upgrade.armed',
  'upgrade.merging',
] as const

/** Of an upgrade whose build migrates the data: half of that may have been done, so it goes back with the dump. */
export const UPGRADE_MIGRATES = ['upgrade.migrating'] as const

/** Of an upgrade whose build has migrated the data: it goes on to its end. */
export const UPGRADE_MIGRATED = ['upgrade.migrated'] as const

/** Of an upgrade whose build is in: it goes on to its end. */
export const UPGRADE_ENDS = ['upgrade.merged', 'upgrade.checked'] as const

/** Of an upgrade that somebody must confirm: it still waits for that. */
export const UPGRADE_WAITS = ['upgrade.confirming'] as const

/** Of a rollback, before the point of the present is made: all is undone. */
export const ROLLBACK_PREPARES = [
  'rollback.begun',
  'rollback.stopped',
  'backup.dumped',
  'backup.packed',
  'backup.synced',
  'rollback.saved',
] as const

/** Of going back, by a rollback or by an upgrade that failed, in their order: it goes on from there. */
export const GOING_BACK = [
  'back.stopped',
  'back.merged',
  'back.fenced',
  'back.configured',
  'back.loaded',
  'back.started',
] as const

/** Of a rollback, once it may change the node. */
export const ROLLBACK_CHANGES = ['rollback.restoring'] as const

/** Of points that come from the hub or go: what kills there is in node/tests. */
const OF_POINTS = ['fetch.checked', 'prune.unlisted'] as const

export const ALL_STEPS: ReadonlySet<string> = new Set([
  ...UPGRADE_PREPARES,
  ...UPGRADE_MIGRATES,
  ...UPGRADE_MIGRATED,
  ...UPGRADE_ENDS,
  ...UPGRADE_WAITS,
  ...ROLLBACK_PREPARES,
  ...ROLLBACK_CHANGES,
  ...GOING_BACK,
  ...OF_POINTS,
])
