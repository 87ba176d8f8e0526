/** What is asked of the newer parts of the hub by JSON, with every kind of token: refusals and dry runs change nothing. */
import fc from 'fast-check'
import { reportOf } from '../../support/node-reports.ts'
import { announcementOf } from '../../support/restore-points.ts'
import { judgeAnswer } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { filled } from '../support/routes.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'
import { changedJson, jsonTypes } from './hub-requests.ts'

const REASON = 'a fuzzed reason'

/** Sound bodies by their routes. */
function sound({ packed, shop }: FuzzedHub['known']['fleet']): readonly (readonly [string, object])[] {
  const files = [{ kind: 'binpkg', name: shop.name, bytes: shop.bytes }] as const
  const hold = { app: 'shop', build: 3, newer: false, reason: REASON }
  return [
    ['POST /api/v1/nodes/$node/restore-points', announcementOf(files, { cpv: shop.cpv })],
    [
      'POST /api/v1/rollbacks',
      { node: packed.node, app: 'shop', restorePoint: null, withDump: true, force: false },
    ],
    [
      'POST /api/v1/rollbacks',
      {
        environment: 'staging',
        app: 'shop',
        build: 2,
        reason: REASON,
        newer: true,
        withDump: false,
        force: true,
      },
    ],
    ['POST /api/v1/nodes/$node/rollbacks/$id/result', { status: 0, detail: 'went back' }],
    ['POST /api/v1/holds', hold],
    ['POST /api/v1/environments/$environment/holds', { ...hold, mask: true }],
    ['POST /api/v1/holds/$id/lift', { reason: REASON }],
    [
      'POST /api/v1/apps/$app/builds/$build/checks',
      { stage: 'commit', name: 'unit', status: 'passed', url: 'https://ci.example/1', summary: 'fine\n' },
    ],
    [
      'PUT /api/v1/environments/$environment/policy',
      {
        ...{ version: 0, promote: 'request', checks: { commit: ['unit'], acceptance: [], manual: [] } },
        ...{ approvals: { count: 1, roles: ['release-manager'] }, soak: '24h', schema: 'none' },
        freezes: [{ from: 'Fri 16:00', to: 'Mon 08:00', timeZone: 'Europe/Berlin', reason: 'the weekend' }],
        override: { roles: ['administrator'] },
      },
    ],
    ['POST /api/v1/keys', { purpose: 'binhost', overlap: '7d', expiresIn: null }],
    ['POST /api/v1/nodes', { name: 'web3', environment: 'staging', machineId: '0'.repeat(32) }],
    [
      'POST /api/v1/nodes/$node/report',
      reportOf([shop.cpv], {
        machineId: '0'.repeat(32),
        rehearsed: [{ point: packed.point, ok: true, at: '2026-01-02T03:04:05Z', detail: '' }],
      }),
    ],
  ]
}

export function fleet(hub: FuzzedHub): Target {
  const who = fc.oneof(
    { arbitrary: fc.constant(hub.known.tokens['administrator'] ?? null), weight: 5 },
    fc.constantFrom(...Object.values(hub.known.tokens), hub.known.fleet.busy.token, null),
  )
  const cases = fc.constantFrom(...sound(hub.known.fleet)).chain(([call, body]) => {
    const [method = '', route = ''] = call.split(' ')
    return fc.record({
      method: fc.constant(method),
      path: filled(route, hub.known),
      query: fc.constantFrom('', '', '?dryRun=true', '?dryRun=true', '?dryRun=true', '?dryRun=x'),
      text: fc.oneof(
        { arbitrary: fc.constant(JSON.stringify(body)), weight: 2 },
        { arbitrary: changedJson(body), weight: 3 },
      ),
      type: fc.oneof({ arbitrary: fc.constant('application/json'), weight: 4 }, jsonTypes),
      token: who,
    })
  })
  return target({
    name: '',
    share: 40,
    cases,
    check: async ({ method, path, query, text, type, token }) => {
      const before = await hub.kept()
      const headers = { 'Content-Type': type }
      const answer = await hub.ask({ method, path: path + query, headers, body: Buffer.from(text), token })
      const verdict = judgeAnswer(answer, { path })
      if (verdict === 'refused') await hub.refuseChanges(before, 'a refused request')
      else if (query === '?dryRun=true') await hub.refuseChanges(before, 'a dry run')
      return verdict
    },
  })
}
