/** Keeps `overlays/<environment>/` behind the commits: after each switch, what it changed; at start, what is missing. */
import { diffTrees } from '../git/tree-diff.ts'
import { listFiles } from '../git/tree.ts'
import type { Oid } from '../git/objects.ts'
import type { Hub } from '../hub.ts'
import { Turns } from '../turns.ts'
import { readOverlayBlob } from './overlay-history.ts'
import type { OverlayState } from './overlay-history.ts'
import type { Overlay } from './overlay.ts'

type Needs = Pick<Hub, 'records' | 'trees' | 'log'>

/** Follows the overlay from now on. The returned function resolves when the folder has caught up. */
export function followWithTree(hub: Needs, overlay: Overlay): () => Promise<void> {
  const turns = new Turns()
  let shown: OverlayState | null = null
  const follow = (): void => {
    void turns.run('tree', async () => {
      const state = overlay.state
      if (state === null || state === shown) return
      try {
        await writeTree(hub, overlay.environment, shown, state)
        shown = state
      } catch (error) {
        shown = null
        hub.log.error(
          { err: error, environment: overlay.environment },
          'the folder of the published tree could not be written',
        )
      }
    })
  }
  overlay.events.on('switched', follow)
  follow()
  return async () => await turns.run('tree', () => Promise.resolve())
}

async function writeTree(
  hub: Needs,
  environment: string,
  shown: OverlayState | null,
  state: OverlayState,
): Promise<void> {
  const reader = (oid: Oid) => async () => await readOverlayBlob(hub.records, oid)
  const onDisk = await hub.trees.shown(environment)
  if (onDisk === state.commit) return
  if (onDisk === null || onDisk !== shown?.commit) {
    const files = new Map(Array.from(listFiles(state.tree), ([path, oid]) => [path, reader(oid)] as const))
    await hub.trees.replace(environment, state.commit, files)
    return
  }
  const changes = diffTrees(shown.tree, state.tree)
  await hub.trees.apply(
    environment,
    state.commit,
    new Map(changes.map(({ path, after }) => [path, after === null ? null : reader(after)] as const)),
  )
}
