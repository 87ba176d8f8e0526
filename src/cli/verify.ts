import type { Command } from 'commander'
import type { Finding } from '../jobs/finding.ts'
import type { DataFolder } from '../jobs/open-data-folder.ts'
import { EXIT } from './exit-status.ts'
import { countText, harmless, tookText } from './format.ts'
import { Progress } from './progress.ts'
import { local } from './session.ts'

export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('check every digest, Manifest, cache entry and revision against the records')
    .addHelpText(
      'after',
      '\nReads everything below HUB_DATA_DIR and changes nothing; the hub may run meanwhile.' +
        '\nEnds with 7 when something is damaged, and says what to do about it.',
    )
  local(command, 'HUB_DATA_DIR=/var/lib/portage-hub portage-hub verify', async ({ terminal, json, show }) => {
    const { loadConfig } = await import('../config.ts')
    const { openDataFolder } = await import('../jobs/open-data-folder.ts')
    const { verifyArchiveAndOverlays } = await import('../jobs/verify-archive-and-overlays.ts')
    await using folder = await openDataFolder(loadConfig().config)
    const startedMs = performance.now()
    const findings: Finding[] = []
    {
      using progress = new Progress(terminal)
      const watch = (step: string, done: number, total: number | null): void => {
        progress.count(step, done, total)
      }
      for await (const finding of verifyArchiveAndOverlays(folder, watch)) {
        findings.push(finding)
        if (!json) {
          progress[Symbol.dispose]()
          terminal.out(harmless(findingText(finding)))
        }
      }
    }
    if (json) show({ ok: findings.length === 0, findings }, '')
    const took = tookText((performance.now() - startedMs) / 1000)
    if (findings.length > 0) {
      terminal.note(`portage-hub: ${countText(findings.length, 'fault')} found in ${took} (verify.failed)`)
      return EXIT.damaged
    }
    const amounts = await amountsOf(folder)
    if (!json) terminal.out(`${amounts}: everything is as recorded (${took}).`)
    return EXIT.done
  })
}

function findingText({ what, where, mend }: Finding): string {
  return `${where}\n  ${what}\n  to mend it: ${mend}`
}

async function amountsOf({ records, config }: DataFolder): Promise<string> {
  let builds = 0
  for await (const _build of records.builds.all()) builds++
  let revisions = 0
  for (const { name } of config.environments) {
    revisions += (await records.overlays.newestRevision(name))?.number ?? 0
  }
  const overlays = countText(config.environments.length, 'overlay')
  return `${countText(builds, 'build')}, ${overlays}, ${countText(revisions, 'revision')}`
}
