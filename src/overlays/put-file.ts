/** Hand-kept files of an overlay: profiles, masks, licences, static ebuilds such as those of acct-user. */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import { lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from './overlay-of.ts'
import type { Published } from './overlay.ts'
import { HUB_NODE_FOLDER } from './plan-hub-node.ts'
import { GENERATED_PATHS, HELD_MASK, WITHDRAWN_MASK, categoriesOf } from './plan-overlay.ts'
import type { PlannedFile } from './plan-overlay.ts'
import { renderCategories } from '../gentoo/profiles.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'steps' | 'hubNode' | 'clock'>

export interface HandKeptFile {
  readonly environment: string
  readonly path: string
  /** null takes the file away. */
  readonly content: Buffer | null
  readonly by: string
  readonly dryRun: boolean
}

const MAX_BYTES = 1024 * 1024
const MAX_DEPTH = 8
const COMPONENT = /^[A-Za-z0-9_][A-Za-z0-9+_.@-]*$/

/**
 * Publishes the file as a revision of its own. The same content again makes none.
 * @throws {HubError} `overlay.path_refused` for a path that Portage would not read, or that the hub writes itself;
 *   `overlay.no_such_path` when a file that is not there is to be taken away.
 */
export async function putOverlayFile(hub: Needs, file: HandKeptFile): Promise<Published> {
  const overlay = overlayOf(hub, file.environment)
  await checkPath(hub, file.path)
  await checkProgram(hub, file)
  if (file.content !== null && file.content.byteLength > MAX_BYTES) {
    throw new HubError(
      'request.too_large',
      `a hand-kept file has at most ${String(MAX_BYTES)} bytes; this one has more`,
    )
  }
  const published = await overlay.publish({
    author: file.by,
    message: `${file.content === null ? 'Remove' : 'Put'} ${file.path}`,
    byHand: file.path,
    dryRun: file.dryRun,
    plan: (tree) => Promise.resolve(planFile(hub, tree, file)),
    record: async (records, revision) => {
      const { environment, path, content } = file
      await recordChange(records, hub.clock, {
        type: content === null ? 'overlay.file_removed' : 'overlay.file_put',
        ...{ subject: `${environment}/${path}`, environment },
        after: { revision, sizeBytes: content === null ? null : content.byteLength },
      })
    },
  })
  hub.steps.reached('file.put')
  return published
}

function planFile(
  hub: Pick<Hub, 'config'>,
  tree: Tree,
  file: HandKeptFile,
): ReadonlyMap<string, PlannedFile> {
  if (file.content === null && !lookup(tree, file.path)) {
    throw new HubError(
      'overlay.no_such_path',
      `the overlay of ${file.environment} has no ${JSON.stringify(file.path)}`,
    )
  }
  if (lookup(tree, file.path)?.tree) {
    throw new HubError('overlay.path_refused', `${JSON.stringify(file.path)} is a folder; name a file in it`)
  }
  const plan = new Map<string, PlannedFile>([[file.path, file.content && { content: file.content }]])
  const top = file.path.split('/', 1)[0] ?? ''
  if (file.content !== null && file.path.endsWith('.ebuild')) {
    const categories = renderCategories(categoriesOf(tree, [hub.config.category, top]))
    plan.set('profiles/categories', { content: Buffer.from(categories) })
  }
  return plan
}

async function checkPath(hub: Pick<Hub, 'records'>, path: string): Promise<void> {
  const parts = path.split('/')
  if (parts.length > MAX_DEPTH || parts.length < 2 || !parts.every((part) => COMPONENT.test(part))) {
    throw refused(
      path,
      'use up to 8 names of letters, digits and . _ + @ -, joined by "/", none starting with "." or "-"',
    )
  }
  if (path === 'profiles/package.mask') {
    throw refused(path, 'it is a folder here: put your masks into profiles/package.mask/<name>')
  }
  if (
    GENERATED_PATHS.has(path) ||
    path.startsWith('metadata/md5-cache/') ||
    path.startsWith(`${WITHDRAWN_MASK}/`) ||
    path.startsWith(`${HELD_MASK}/`)
  ) {
    throw refused(path, 'the hub writes it itself, from the settings and the releases')
  }
  const [top = '', pn = ''] = parts
  if (['profiles', 'licenses', 'eclass'].includes(top)) return
  if (top === 'metadata') {
    if (parts[1] === 'news' || parts[1] === 'install-qa-check.d') return
    throw refused(path, 'below metadata/ only news/ is kept by hand')
  }
  if (!/\.ebuild$|^Manifest$|^metadata\.xml$/.test(parts.at(-1) ?? '') && parts[2] !== 'files') {
    throw refused(path, 'a package has ebuilds, a Manifest, metadata.xml and files/')
  }
  const app = await hub.records.apps.find(pn)
  if (app?.category === top) throw refused(path, `${top}/${pn} is published from the builds of the app ${pn}`)
}

/** What somebody kept there before the hub brought its own can still be taken away. */
async function checkProgram(
  hub: Pick<Hub, 'records' | 'hubNode'>,
  { environment, path, content }: HandKeptFile,
): Promise<void> {
  if (hub.hubNode === null || !path.startsWith(`${HUB_NODE_FOLDER}/`)) return
  const files = content === null ? await hub.records.overlays.files(environment) : []
  if (files.some((file) => file.path === path && file.byHand === 1)) return
  throw refused(path, 'the hub publishes the program of nodes itself')
}

function refused(path: string, why: string): HubError {
  return new HubError(
    'overlay.path_refused',
    `${JSON.stringify(path.slice(0, 200))} cannot be put by hand: ${why}`,
  )
}
