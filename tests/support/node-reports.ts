/** Reports as a node sends them. */
import type { Report } from '../../src/nodes/report.ts'

export const COMMIT = 'c0ffee'.padEnd(40, '0')

/** What a node that has installed `cpvs` reports; `change` puts other values in place. */
export function reportOf(cpvs: readonly string[], change: Readonly<Record<string, unknown>> = {}): Report {
  return {
    at: '2026-01-02T03:00:00Z',
    portage: '3.0.82',
    hubNode: '0.1.0',
    sync: { at: '2026-01-02T02:59:00Z', revision: 2, commit: COMMIT },
    packages: cpvs.map((cpv) => packageOf(cpv)),
    configPending: ['/etc/shop/._cfg0000_shop.toml'],
    disk: [{ path: '/var/lib/portage-hub', freeBytes: 1, totalBytes: 2 }],
    rehearsed: [],
    ...change,
  }
}

export function packageOf(
  cpv: string,
  change: Readonly<Record<string, unknown>> = {},
): Report['packages'][number] {
  return { cpv, repo: 'hub-staging', buildTimeSec: 1, binpkgBuildId: null, restorePoint: null, ...change }
}
