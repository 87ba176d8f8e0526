/**
 * Moments between two steps of the work, by name. A hub that runs takes no notice of them; a test gives `startHub` a
 * listener of its own, to stop the process at one or to make the next thing fail.
 */

/** In the order in which a start, an upload, its publishing, a node and its restore point come by. */
export const STEPS = [
  'start.locked',
  'start.opened',
  'sweep.blob-removed',
  'start.swept',
  'start.settings-published',
  'start.resumed',
  'start.mirrored',

  'upload.created',
  'upload.received',
  'upload.verified',
  'blob.marked',
  'blob.linked',
  'blob.adopted',
  'upload.recording',
  'upload.recorded',
  'upload.settled',

  'promotion.requested',
  'promotion.waiting',
  'promotion.approved',
  'promotion.publishing',
  'promotion.released',
  'withdrawal.done',
  'file.put',

  'revision.planned',
  'revision.signed',
  'revision.recording',
  'revision.recorded',
  'mirror.linked',
  'revision.mirrored',
  'pack.written',
  'pack.placed',
  'pack.indexed',
  'ref.locked',
  'ref.switched',
  'revision.shown',
  'tree.begun',
  'tree.file-written',
  'tree.written',
  'zip.made',

  'enrol.recorded',

  'point.announced',
  'point.received',
  'point.judged',
  'point.signed',
  'point.recording',
  'point.recorded',
  'point.shown',
  'point.cleared',
] as const

export type Step = (typeof STEPS)[number]

export interface Steps {
  /** Called when the step is done and before the next one begins; what it throws ends the work there. */
  reached(step: Step): void
}

export const UNWATCHED: Steps = { reached() {} }
