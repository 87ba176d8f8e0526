/** `portage-hub verify` in the process of the test. */
import { loadConfig } from '../../src/config.ts'
import type { DataFolder } from '../../src/jobs/open-data-folder.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import { verifyArchiveAndOverlays } from '../../src/jobs/verify-archive-and-overlays.ts'

/** What it finds in the data folder, a line each. A hub may run there meanwhile. */
export async function findingsOf(directory: string): Promise<readonly string[]> {
  const settings = { HUB_CONFIG: '', HUB_DATA_DIR: directory, HUB_LOG_LEVEL: 'silent' }
  await using folder = await openDataFolder(loadConfig(settings).config)
  return await findingsIn(folder)
}

export async function findingsIn(folder: DataFolder): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { where, what } of verifyArchiveAndOverlays(folder, () => {}))
    found.push(`${where}: ${what}`)
  return found
}
